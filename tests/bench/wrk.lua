-- SPDX-License-Identifier: ISC
-- For wrk: GET requests that go round over tokens and paths, and the figures as one line of JSON.
-- Arguments: TOKENFILE PATH...
local requests, at = {}, 0

function init(args)
	local tokens = {}
	for line in io.lines(args[1]) do
		tokens[#tokens + 1] = line
	end
	for i = 1, math.max(#tokens, #args - 1) do
		local path = args[2 + (i - 1) % (#args - 1)]
		local headers = { ["Host"] = "127.0.0.1" }
		if #tokens > 0 then
			headers["Authorization"] = "Bearer " .. tokens[1 + (i - 1) % #tokens]
		end
		requests[i] = wrk.format("GET", path, headers)
	end
end

function request()
	at = at % #requests + 1
	return requests[at]
end

function done(summary, latency, _)
	local errors = summary.errors
	io.write(string.format('{"requests": %d, "seconds": %.4f, "errors": %d, "refused": %d, "p50_us": %d, "p99_us": %d}\n',
		summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
		errors.status, latency:percentile(50), latency:percentile(99)))
end

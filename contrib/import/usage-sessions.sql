-- SPDX-License-Identifier: ISC
-- Usage sessions as JSON lines, for parlourctl import usage.
SELECT jsonb_strip_nulls(jsonb_build_object(
	'session_id', r ->> 'session_id',
	'developer_id', r ->> 'developer_id',
	'timestamp', r ->> 'timestamp',
	'model', r ->> 'model',
	'total_tokens', coalesce(r -> 'total_tokens', r -> 'tokens'),
	'cost_usd', r -> 'cost_usd',
	'accepted_flag', CASE WHEN r ->> 'accepted_flag' IN ('true', '1') THEN true WHEN r ->> 'accepted_flag' IN ('false', '0') THEN false END))
FROM (SELECT to_jsonb(s) AS r FROM sessions s) AS old

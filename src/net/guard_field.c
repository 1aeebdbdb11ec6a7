/* SPDX-License-Identifier: ISC */
/*
 * Checks methods, targets, versions, and the header fields that decide where a message ends.
 *
 * Stricter than RFC 9112 where evhttp would read the same bytes in another way: only POST, PUT, and PATCH may have a
 * body, and a tab before the value of such a field is refused.
 */
#include "net/guard_int.h"

bool guard_check_method(struct guard *guard)
{
	static const struct { const char *name; bool body; } methods[] = {
		{ "GET", false }, { "HEAD", false }, { "POST", true }, { "PUT", true }, { "PATCH", true },
		{ "DELETE", false }, { "OPTIONS", false },
	};
	struct pl_str text = guard_text(guard);

	for (size_t i = 0; i < PL_COUNT(methods); i++) {
		if (pl_str_is(text, methods[i].name)) {
			guard->has_body_method = methods[i].body;
			guard->is_get = i == 0;
			guard->field = i == PL_COUNT(methods) - 1;	/* OPTIONS: set until the target is known */
			return true;
		}
	}
	return guard_refuse(guard, 501, "This method is not supported.");
}

static bool port_ok(struct pl_str port)
{
	int number = 0;

	if (port.len > 5)
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (!guard_is(port.ptr[i], C_DIGIT))
			return false;
		number = number * 10 + (port.ptr[i] - '0');
	}
	return number <= 65535;
}

bool guard_host_ok(struct pl_str host)
{
	size_t n = 0;

	if (host.len == 0 || host.len > 261)
		return false;
	if (host.ptr[0] == '[') {
		n = 1;
		while (n < host.len && (guard_is(host.ptr[n], C_HEX) || host.ptr[n] == ':' || host.ptr[n] == '.'))
			n++;
		if (n < 3 || n >= host.len || host.ptr[n] != ']')
			return false;
		n++;
	} else {
		while (n < host.len && guard_is(host.ptr[n], C_HOST))
			n++;
		if (n == 0)
			return false;
	}
	return n == host.len || (host.ptr[n] == ':' && port_ok(pl_strn(host.ptr + n + 1, host.len - n - 1)));
}

/* `text` begins after "//" or "http://". The authority, which ends at the path, must be a plain host. */
static bool authority_ok(const struct guard *guard, size_t from, bool port_allowed)
{
	struct pl_str text = guard_text(guard), host;
	size_t end = from;

	while (end < text.len && text.ptr[end] != '/' && text.ptr[end] != '?')
		end++;
	if (end == text.len && guard->text_len > GUARD_TEXT_MAX)
		return false;
	host = pl_strn(text.ptr + from, end - from);
	/* For us "//x/y" is a path, but evhttp reads an authority from it. So it must be one that evhttp accepts. */
	if (!port_allowed)
		return host.len == 0 || (guard_host_ok(host) && memchr(host.ptr, ':', host.len) == NULL);
	return guard_host_ok(host);
}

bool guard_check_target(struct guard *guard)
{
	struct pl_str text = guard_text(guard);
	bool is_options = guard->field != F_OTHER;

	guard->field = F_OTHER;
	if (text.len > 0 && text.ptr[0] == '/') {
		if (text.len < 2 || text.ptr[1] != '/' || authority_ok(guard, 2, false))
			return true;
	} else if (pl_str_istarts(text, "http://")) {
		if (authority_ok(guard, 7, true))
			return true;
	} else if (pl_str_istarts(text, "https://")) {
		if (authority_ok(guard, 8, true))
			return true;
	} else if (is_options && pl_str_is(text, "*")) {
		return true;
	}
	return guard_refuse(guard, 400, "The request target is malformed.");
}

bool guard_check_version(struct guard *guard)
{
	struct pl_str text = guard_text(guard);

	guard->http10 = pl_str_is(text, "HTTP/1.0");
	if (guard->http10 || pl_str_is(text, "HTTP/1.1"))
		return true;
	if (text.len == 8 && pl_str_starts(text, "HTTP/") && guard_is(text.ptr[5], C_DIGIT) && text.ptr[6] == '.' &&
	    guard_is(text.ptr[7], C_DIGIT) && text.ptr[5] != '1')
		return guard_refuse(guard, 505, "Only HTTP/1.1 and HTTP/1.0 are supported.");
	return guard_refuse(guard, 400, "The version is malformed.");
}

enum guard_field guard_field_of(const struct guard *guard)
{
	static const struct { const char *name; enum guard_field field; } fields[] = {
		{ "host", F_HOST }, { "content-length", F_LENGTH }, { "transfer-encoding", F_TRANSFER },
		{ "connection", F_CONNECTION }, { "upgrade", F_UPGRADE }, { "expect", F_EXPECT },
	};
	struct pl_str text = guard_text(guard);

	for (size_t i = 0; i < PL_COUNT(fields); i++) {
		if (pl_str_ieq(text, pl_str(fields[i].name)))
			return fields[i].field;
	}
	return F_OTHER;
}

static bool check_length(struct guard *guard, struct pl_str value)
{
	if (guard->length_seen)
		return guard_refuse(guard, 400, "There is more than one Content-Length.");
	guard->length_seen = true;
	if (value.len == 0 || value.len > 18 || !pl_str_i64(value, 0, INT64_MAX, &guard->length))
		return guard_refuse(guard, 400, "Content-Length is not a number.");
	return true;
}

/* RFC 9112 6.1: chunked must be the last coding. No other coding is supported. */
static bool check_transfer(struct guard *guard, struct pl_str value)
{
	struct pl_str part, rest = value;
	bool chunked_before = false, chunked_last = false;

	if (guard->chunked || guard->http10)
		return guard_refuse(guard, 400, guard->http10 ? "HTTP/1.0 has no Transfer-Encoding." :
		    "There is more than one Transfer-Encoding.");
	if (pl_str_ieq(value, PL_STR("chunked"))) {
		guard->chunked = true;
		return true;
	}
	while (pl_str_cut(&rest, ',', &part)) {
		part = pl_str_trim(part);
		chunked_before |= chunked_last;
		chunked_last = pl_str_ieq(part, PL_STR("chunked"));
		for (size_t i = 0; i < part.len; i++) {
			if (!guard_is(part.ptr[i], C_TOKEN))
				return guard_refuse(guard, 400, "Transfer-Encoding is malformed.");
		}
		if (part.len == 0)
			return guard_refuse(guard, 400, "Transfer-Encoding is malformed.");
	}
	if (chunked_before)
		return guard_refuse(guard, 400, "chunked is not the last transfer coding.");
	return guard_refuse(guard, 501, "This transfer coding is not supported.");
}

bool guard_list_has(struct pl_str list, struct pl_str word)
{
	struct pl_str part;

	while (pl_str_cut(&list, ',', &part)) {
		if (pl_str_ieq(pl_str_trim(part), word))
			return true;
	}
	return false;
}

/* Checks a complete line of a field that affects framing. */
bool guard_check_field(struct guard *guard)
{
	struct pl_str value = pl_str_trim(guard_text(guard));

	if (guard->text_len > GUARD_TEXT_MAX)
		return guard_refuse(guard, 400, "The value of a framing header field is too long.");
	if (guard->tab_first)
		return guard_refuse(guard, 400, "There is a tab before the value of a framing header field.");
	switch ((enum guard_field)guard->field) {
	case F_HOST:
		if (guard->host_seen || !guard_host_ok(value)) {
			guard_refuse(guard, 400, guard->host_seen ? "There is more than one Host." :
			    "The Host header is malformed.");
			guard->code = PL_E_BAD_HOST;
			return false;
		}
		guard->host_seen = true;
		return true;
	case F_LENGTH:
		return check_length(guard, value);
	case F_TRANSFER:
		return check_transfer(guard, value);
	case F_CONNECTION:
		guard->connection_seen = true;
		guard->ask_upgrade |= guard_list_has(value, PL_STR("upgrade"));
		return true;
	case F_UPGRADE:
		guard->ask_websocket |= guard_list_has(value, PL_STR("websocket"));
		return true;
	case F_EXPECT:
		return pl_str_ieq(value, PL_STR("100-continue")) ||
		    guard_refuse(guard, 417, "The only supported value of Expect is 100-continue.");
	case F_OTHER:
		break;
	}
	return true;
}

bool guard_check_end(struct guard *guard, const struct guard_limits *limits)
{
	if (!guard->host_seen && !guard->http10) {
		guard_refuse(guard, 400, "There is no Host header.");
		guard->code = PL_E_BAD_HOST;
		return false;
	}
	if (guard->chunked && guard->length_seen)
		return guard_refuse(guard, 400, "There are both Transfer-Encoding and Content-Length.");
	if ((guard->chunked || guard->length > 0) && !guard->has_body_method)
		return guard_refuse(guard, 400, "A body is not allowed with this method.");
	if (guard->length > limits->body_bytes)
		return guard_refuse(guard, 413, "The body is too large.");
	guard->add_length = guard->has_body_method && !guard->chunked && !guard->length_seen && guard->connection_seen;
	if (guard->ask_upgrade && guard->ask_websocket && guard->is_get && !guard->http10) {
		guard->messages++;
		guard->state = G_RAW;
		guard->phase = GUARD_RAW;
	} else if (guard->chunked) {
		guard->state = G_SIZE;
		guard->phase = GUARD_BODY;
		guard->lines = 0;
	} else if (guard->length > 0) {
		guard->left = guard->length;
		guard->state = G_BODY;
		guard->phase = GUARD_BODY;
	} else {
		guard_done(guard);
	}
	return true;
}

/* SPDX-License-Identifier: ISC */
/*
 * Reads request lines and header fields. guard_body.c reads bodies; guard_field.c checks the fields that decide where a
 * message ends.
 */
#include "net/guard_int.h"

enum { CRLFS_MAX = 4, METHOD_MAX = 24 };

#define T (C_TOKEN | C_TARGET | C_VALUE)
#define D (C_TOKEN | C_TARGET | C_VALUE | C_DIGIT | C_HEX | C_HOST)
#define A (C_TOKEN | C_TARGET | C_VALUE | C_HOST)
#define X (C_TOKEN | C_TARGET | C_VALUE | C_HEX | C_HOST)
#define H (C_TOKEN | C_TARGET | C_VALUE | C_HOST)
#define P (C_TARGET | C_VALUE)
#define V C_VALUE

/*
 * Targets: every printable character except `"`, `#`, `<`, and `>`; browsers send `|`, `{`, and similar characters
 * unescaped. Host names: letters, digits, `-`, `.`, `_`, `~`; guard_host_ok() checks ports and brackets.
 */
const uint8_t guard_class[256] = {
	['\t'] = V, [' '] = V,
	['!'] = T, ['"'] = V, ['#'] = T & ~C_TARGET, ['$'] = T, ['%'] = T, ['&'] = T, ['\''] = T, ['('] = P, [')'] = P,
	['*'] = T, ['+'] = T, [','] = P, ['-'] = H, ['.'] = H, ['/'] = P,
	['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D,
	[':'] = P, [';'] = P, ['<'] = V, ['='] = P, ['>'] = V, ['?'] = P, ['@'] = P,
	['A'] = X, ['B'] = X, ['C'] = X, ['D'] = X, ['E'] = X, ['F'] = X, ['G' ... 'Z'] = A,
	['['] = P, ['\\'] = P, [']'] = P, ['^'] = T, ['_'] = H, ['`'] = T,
	['a'] = X, ['b'] = X, ['c'] = X, ['d'] = X, ['e'] = X, ['f'] = X, ['g' ... 'z'] = A,
	['{'] = P, ['|'] = T, ['}'] = P, ['~'] = H,
	[0x80 ... 0xff] = V,
};

bool guard_refuse(struct guard *guard, int status, const char *detail)
{
	guard->state = G_REFUSED;
	guard->phase = GUARD_REFUSED;
	guard->status = status;
	guard->code = status == 413 ? PL_E_BODY_TOO_LARGE : status == 431 ? PL_E_HEADERS_LARGE :
	    status == 501 ? PL_E_UNSUPPORTED : PL_E_BAD_REQUEST;
	guard->detail = detail;
	return false;
}

/* Resets everything except the counters of the connection. */
static void message_start(struct guard *guard)
{
	guard->phase = GUARD_HEADER;
	guard->state = G_METHOD;
	guard->has_body_method = guard->http10 = guard->is_get = false;
	guard->host_seen = guard->length_seen = guard->chunked = false;
	guard->connection_seen = guard->ask_upgrade = guard->ask_websocket = false;
	guard->text_len = guard->lines = guard->crlfs = 0;
	guard->header_bytes = guard->extra_bytes = 0;
	guard->length = guard->left = guard->total = 0;
}

static bool on_start(struct guard *guard, char c)
{
	if (guard->state == G_START_LF) {
		guard->state = G_START;
		return c == '\n' || guard_refuse(guard, 400, "A carriage return is not followed by a line feed.");
	}
	if (c == '\r') {	/* RFC 9112 2.2: an empty line before a request is ignored */
		guard->state = G_START_LF;
		return ++guard->crlfs <= CRLFS_MAX || guard_refuse(guard, 400, "There are empty lines before the "
		    "request.");
	}
	message_start(guard);
	if (!guard_is(c, C_TOKEN))
		return guard_refuse(guard, 400, "The request line does not begin with a method.");
	guard_keep(guard, c);
	return true;
}

static bool on_method(struct guard *guard, char c)
{
	if (c == ' ') {
		if (!guard_check_method(guard))
			return false;
		guard->text_len = 0;
		guard->state = G_TARGET;
		return true;
	}
	if (!guard_is(c, C_TOKEN) || guard->text_len >= METHOD_MAX)
		return guard_refuse(guard, 400, "The method is not a token.");
	guard_keep(guard, c);
	return true;
}

static size_t on_target(struct guard *guard, const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && guard_is(bytes[n], C_TARGET))
		guard_keep(guard, bytes[n++]);
	if (n == len)
		return n;
	if (bytes[n] != ' ') {
		guard_refuse(guard, 400, "The target contains a byte that must be escaped, or the version is missing.");
		return n + 1;
	}
	if (guard_check_target(guard)) {
		guard->text_len = 0;
		guard->state = G_VERSION;
	}
	return n + 1;
}

/* A later minor version is changed in place to 1.1, the highest version that we know (RFC 9110 2.5). */
static bool on_version(struct guard *guard, char *c)
{
	if (*c == '\r') {
		guard->state = G_LINE_LF;
		return guard_check_version(guard);
	}
	if (guard->text_len >= METHOD_MAX || (unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
		return guard_refuse(guard, 400, "The version is malformed.");
	if (*c >= '2' && *c <= '9' && pl_str_is(guard_text(guard), "HTTP/1."))
		*c = '1';
	guard_keep(guard, *c);
	return true;
}

/* Takes the first byte of a header line. */
static bool on_field(struct guard *guard, char c)
{
	guard->text_len = 0;
	if (c == '\r') {
		guard->state = G_END_LF;
		return true;
	}
	if (c == ' ' || c == '\t')
		return guard_refuse(guard, 400, "A header line begins with a blank.");
	if (!guard_is(c, C_TOKEN))
		return guard_refuse(guard, 400, "A header name is not a token.");
	if (++guard->lines > GUARD_LINES_MAX)
		return guard_refuse(guard, 431, "There are too many header fields.");
	guard->state = G_NAME;
	guard_keep(guard, c);
	return true;
}

static size_t on_name(struct guard *guard, const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && guard_is(bytes[n], C_TOKEN))
		guard_keep(guard, bytes[n++]);
	if (n == len)
		return n;
	if (bytes[n] != ':') {
		guard_refuse(guard, 400, "A header name is not a token followed by a colon.");
		return n + 1;
	}
	guard->field = (uint8_t)guard_field_of(guard);
	guard->text_len = 0;
	guard->tab_first = false;
	guard->state = G_BLANK;
	return n + 1;
}

static size_t on_value(struct guard *guard, const char *bytes, size_t len)
{
	size_t n = 0;

	if (guard->state == G_BLANK) {
		while (n < len && (bytes[n] == ' ' || bytes[n] == '\t'))
			guard->tab_first |= bytes[n++] == '\t';
		if (n == len)
			return n;
		guard->state = G_VALUE;
	}
	if (guard->field == F_OTHER) {
		while (n < len && guard_is(bytes[n], C_VALUE))
			n++;
	} else {
		while (n < len && guard_is(bytes[n], C_VALUE))
			guard_keep(guard, bytes[n++]);
	}
	if (n == len)
		return n;
	if (bytes[n] != '\r')
		guard_refuse(guard, 400,
		    "A header value contains a control byte, or its line does not end with CR LF.");
	else
		guard->state = G_VALUE_LF;
	return n + 1;
}

static bool on_line_end(struct guard *guard, const struct guard_limits *limits, char c)
{
	if (c != '\n')
		return guard_refuse(guard, 400, "A carriage return is not followed by a line feed.");
	if (guard->state == G_END_LF)
		return guard_check_end(guard, limits);
	if (guard->state == G_VALUE_LF && guard->field != F_OTHER && !guard_check_field(guard))
		return false;
	guard->state = G_FIELD;
	return true;
}

/* Returns the number of bytes used. */
static size_t step(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len)
{
	size_t used = 1;

	switch ((enum guard_state)guard->state) {
	case G_START: case G_START_LF:
		on_start(guard, *bytes);
		break;
	case G_METHOD:
		on_method(guard, *bytes);
		break;
	case G_TARGET:
		used = on_target(guard, bytes, len);
		break;
	case G_VERSION:
		on_version(guard, bytes);
		break;
	case G_FIELD:
		on_field(guard, *bytes);
		break;
	case G_NAME:
		used = on_name(guard, bytes, len);
		break;
	case G_BLANK: case G_VALUE:
		used = on_value(guard, bytes, len);
		break;
	case G_LINE_LF: case G_VALUE_LF: case G_END_LF:
		on_line_end(guard, limits, *bytes);
		break;
	default:
		return guard_body(guard, limits, bytes, len);
	}
	if (guard->phase == GUARD_HEADER) {
		guard->header_bytes += (uint32_t)used;
		if (guard->header_bytes > limits->header_bytes)
			guard_refuse(guard, 431, "The request header is too large.");
	}
	return used;
}

size_t guard_feed(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len)
{
	size_t at = 0;

	guard->add_length = false;
	while (at < len) {
		if (guard->state == G_RAW)
			return len;
		if (guard->state == G_REFUSED || guard->add_length)
			return at;
		at += step(guard, limits, bytes + at, len - at);
	}
	return at;
}

/* SPDX-License-Identifier: ISC */
/*
 * Reads bodies that have a length or consist of chunks with extensions and trailers (RFC 9112 section 7.1).
 *
 * evhttp does not understand chunk extensions and merges trailers into the header. Both are made harmless in place here
 * (see guard.h).
 */
#include "net/guard_int.h"

enum {
	EXTRA_MAX = 4096,	/* bytes of extensions and trailers in one message */
	DIGITS_MAX = 16
};

static size_t on_length(struct guard *guard, size_t len)
{
	size_t n = guard->left < (int64_t)len ? (size_t)guard->left : len;

	guard->left -= (int64_t)n;
	if (guard->left == 0)
		guard_done(guard);
	return n;
}

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static void on_size(struct guard *guard, const struct guard_limits *limits, char *c)
{
	if (guard_is(*c, C_HEX)) {
		if (guard->state == G_SIZE)
			guard->left = guard->text_len = 0;
		guard->state = G_SIZE_MORE;
		guard->left = guard->left * 16 + hex_value(*c);
		if (guard->left > limits->body_bytes - guard->total)
			guard_refuse(guard, 413, "The body is too large.");
		else if (++guard->text_len > DIGITS_MAX)
			guard_refuse(guard, 400, "A chunk size is malformed.");
		return;
	}
	if (guard->state == G_SIZE || (*c != '\r' && *c != ';')) {
		guard_refuse(guard, 400, "A chunk size is malformed.");
		return;
	}
	guard->state = *c == '\r' ? G_SIZE_LF : G_EXTENSION;
	if (*c == ';')
		*c = ' ';
}

static bool extra(struct guard *guard, const char *detail)
{
	return ++guard->extra_bytes <= EXTRA_MAX || guard_refuse(guard, 400, detail);
}

static void on_extension(struct guard *guard, char c)
{
	if (c == '\r')
		guard->state = G_SIZE_LF;
	else if (!guard_is(c, C_VALUE) || (unsigned char)c >= 0x80)
		guard_refuse(guard, 400, "A chunk extension is malformed.");
	else
		(void)extra(guard, "The chunk extensions are too long.");
}

static void on_lf(struct guard *guard, char c)
{
	if (c != '\n') {
		guard_refuse(guard, 400, "A line of the body's framing does not end with CR LF.");
		return;
	}
	switch ((enum guard_state)guard->state) {
	case G_SIZE_LF:
		guard->total += guard->left;
		guard->state = guard->left > 0 ? G_DATA : G_TRAILER;
		break;
	case G_DATA_LF:
		guard->state = G_SIZE;
		break;
	case G_LAST_LF:
		guard_done(guard);
		break;
	default:
		guard->state = G_TRAILER;
		break;
	}
}

static size_t on_data(struct guard *guard, size_t len)
{
	size_t n = guard->left < (int64_t)len ? (size_t)guard->left : len;

	guard->left -= (int64_t)n;
	if (guard->left == 0)
		guard->state = G_DATA_CR;
	return n;
}

static void trailer_name_end(struct guard *guard)
{
	switch (guard_field_of(guard)) {
	case F_HOST: case F_LENGTH: case F_TRANSFER: case F_CONNECTION: case F_UPGRADE: case F_EXPECT:
		guard_refuse(guard, 400, "A trailer must not contain a field that frames the message.");
		break;
	case F_OTHER:
		guard->state = G_TRAILER_VALUE;
		break;
	}
}

static void on_trailer(struct guard *guard, char *c)
{
	if (guard->state == G_TRAILER) {
		guard->text_len = 0;
		if (*c == '\r') {
			guard->state = G_LAST_LF;
			return;
		}
		if (++guard->lines > GUARD_LINES_MAX) {
			guard_refuse(guard, 431, "There are too many trailer fields.");
			return;
		}
		guard->state = G_TRAILER_NAME;
	}
	if (!extra(guard, "The trailer is too long."))
		return;
	if (guard->state == G_TRAILER_NAME) {
		if (*c == ':' && guard->text_len > 0) {
			trailer_name_end(guard);
		} else if (!guard_is(*c, C_TOKEN)) {
			guard_refuse(guard, 400, "A trailer name is not a token.");
		} else {
			guard_keep(guard, *c);
			*c = '!';
		}
	} else if (*c == '\r') {
		guard->state = G_TRAILER_LF;
	} else if (!guard_is(*c, C_VALUE)) {
		guard_refuse(guard, 400, "A trailer value contains a control byte.");
	}
}

size_t guard_body(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len)
{
	switch ((enum guard_state)guard->state) {
	case G_BODY:
		return on_length(guard, len);
	case G_DATA:
		return on_data(guard, len);
	case G_SIZE: case G_SIZE_MORE:
		on_size(guard, limits, bytes);
		break;
	case G_EXTENSION:
		on_extension(guard, *bytes);
		break;
	case G_DATA_CR:
		guard->state = G_DATA_LF;
		if (*bytes != '\r')
			guard_refuse(guard, 400, "A chunk is longer than its size.");
		break;
	case G_SIZE_LF: case G_DATA_LF: case G_TRAILER_LF: case G_LAST_LF:
		on_lf(guard, *bytes);
		break;
	case G_TRAILER: case G_TRAILER_NAME: case G_TRAILER_VALUE:
		on_trailer(guard, bytes);
		break;
	default:
		pl_bug("guard state", __FILE__, __LINE__);
	}
	return 1;
}

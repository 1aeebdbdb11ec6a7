/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the guard.
 */
#ifndef NET_GUARD_INT_H
#define NET_GUARD_INT_H

#include "net/guard.h"

enum guard_state {
	G_START, G_START_LF, G_METHOD, G_TARGET, G_VERSION, G_LINE_LF,
	G_FIELD, G_NAME, G_BLANK, G_VALUE, G_VALUE_LF, G_END_LF,
	G_BODY,
	G_SIZE, G_SIZE_MORE, G_EXTENSION, G_SIZE_LF, G_DATA, G_DATA_CR, G_DATA_LF,
	G_TRAILER, G_TRAILER_NAME, G_TRAILER_VALUE, G_TRAILER_LF, G_LAST_LF,
	G_RAW, G_REFUSED
};

enum guard_field { F_OTHER, F_HOST, F_LENGTH, F_TRANSFER, F_CONNECTION, F_UPGRADE, F_EXPECT };

enum { C_TOKEN = 1, C_TARGET = 2, C_VALUE = 4, C_DIGIT = 8, C_HEX = 16, C_HOST = 32 };
extern const uint8_t guard_class[256];

static inline bool guard_is(char c, int klass)
{
	return (guard_class[(unsigned char)c] & klass) != 0;
}

/* Refuses; returns false. */
bool guard_refuse(struct guard *guard, int status, const char *detail);
/* Keeps a byte of the current element, if it fits. */
static inline void guard_keep(struct guard *guard, char c)
{
	if (guard->text_len < GUARD_TEXT_MAX)
		guard->text[guard->text_len++] = c;
	else
		guard->text_len = GUARD_TEXT_MAX + 1;
}

static inline struct pl_str guard_text(const struct guard *guard)
{
	return pl_strn(guard->text, guard->text_len > GUARD_TEXT_MAX ? GUARD_TEXT_MAX : guard->text_len);
}

/* The end of a message. */
static inline void guard_done(struct guard *guard)
{
	guard->messages++;
	guard->state = G_START;
	guard->phase = GUARD_START;
}

/* guard_field.c: the texts of the request line and of the header fields that frame a message. */
bool guard_check_method(struct guard *guard);
bool guard_check_target(struct guard *guard);
bool guard_check_version(struct guard *guard);
enum guard_field guard_field_of(const struct guard *guard);
bool guard_check_field(struct guard *guard);
/* The end of a header: decides what follows. */
bool guard_check_end(struct guard *guard, const struct guard_limits *limits);

/* guard_body.c: reads a part of a body; returns the bytes used, at least 1, or 0 when refused. */
size_t guard_body(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len);

#endif

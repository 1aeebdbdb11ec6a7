/* SPDX-License-Identifier: ISC */
/*
 * Borrowed texts and the growing buffer.
 */
#include "str.h"

#include <stdio.h>

enum { BUF_FIRST_BYTES = 128, INT64_DIGITS = 20 };

/* ASCII only: no locale has a say in header names. */
static unsigned char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : (unsigned char)c;
}

static bool fold_eq(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (fold(a[i]) != fold(b[i]))
			return false;
	}
	return true;
}

bool pl_str_eq(struct pl_str a, struct pl_str b)
{
	if (a.ptr == NULL || b.ptr == NULL)
		return a.ptr == b.ptr;
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool pl_str_is(struct pl_str a, const char *text)
{
	return pl_str_eq(a, pl_str(text));
}

bool pl_str_ieq(struct pl_str a, struct pl_str b)
{
	if (a.ptr == NULL || b.ptr == NULL)
		return a.ptr == b.ptr;
	return a.len == b.len && fold_eq(a.ptr, b.ptr, a.len);
}

bool pl_str_starts(struct pl_str s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.ptr != NULL && s.len >= len && memcmp(s.ptr, prefix, len) == 0;
}

bool pl_str_istarts(struct pl_str s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.ptr != NULL && s.len >= len && fold_eq(s.ptr, prefix, len);
}

struct pl_str pl_str_unmarked(struct pl_str s)
{
	return pl_str_starts(s, "\xef\xbb\xbf") ? pl_strn(s.ptr + 3, s.len - 3) : s;
}

struct pl_str pl_str_trim(struct pl_str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

struct pl_str pl_str_dup(struct pl_pool *pool, struct pl_str s)
{
	return (struct pl_str){ pl_str_c(pool, s), s.len };
}

const char *pl_str_c(struct pl_pool *pool, struct pl_str s)
{
	return s.ptr != NULL ? pl_strndup(pool, s.ptr, s.len) : NULL;
}

bool pl_str_cut(struct pl_str *rest, char sep, struct pl_str *part_r)
{
	const char *at;

	if (rest->ptr == NULL)
		return false;
	at = memchr(rest->ptr, sep, rest->len);
	if (at == NULL) {
		*part_r = *rest;
		*rest = PL_STR_NONE;
		return true;
	}
	*part_r = pl_strn(rest->ptr, (size_t)(at - rest->ptr));
	*rest = pl_strn(at + 1, rest->len - part_r->len - 1);
	return true;
}

bool pl_str_i64(struct pl_str s, int64_t min, int64_t max, int64_t *out_r)
{
	bool minus = min < 0 && s.len > 0 && s.ptr[0] == '-';
	int64_t value = 0;
	size_t i = minus;

	if (s.len == i)
		return false;
	for (; i < s.len; i++) {
		int digit = s.ptr[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* Counted downwards: INT64_MIN has no positive twin. */
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!minus && __builtin_sub_overflow((int64_t)0, value, &value))
		return false;
	if (value < min || value > max)
		return false;
	*out_r = value;
	return true;
}

void pl_buf_fini(struct pl_buf *buf)
{
	if (buf->pool == NULL)
		pl_free(buf->ptr);
	*buf = PL_BUF(buf->pool);
}

void pl_buf_reset(struct pl_buf *buf)
{
	buf->len = 0;
	if (buf->ptr != NULL)
		buf->ptr[0] = '\0';
}

static void buf_grow(struct pl_buf *buf, size_t bytes)
{
	size_t cap = buf->cap > 0 ? buf->cap : BUF_FIRST_BYTES;
	char *ptr;

	PL_BUG(bytes > SIZE_MAX / 8 - buf->len);
	while (cap - 1 < buf->len + bytes)
		cap *= 2;
	if (buf->pool == NULL) {
		buf->ptr = pl_realloc(buf->ptr, cap);
	} else {
		ptr = pl_alloc(buf->pool, cap);
		if (buf->len > 0)
			memcpy(ptr, buf->ptr, buf->len);
		buf->ptr = ptr;
	}
	buf->cap = cap;
	buf->ptr[buf->len] = '\0';
}

char *pl_buf_room(struct pl_buf *buf, size_t bytes)
{
	/* One byte more than asked for, so that a NUL always fits. */
	if (buf->cap == 0 || buf->cap - 1 - buf->len < bytes)
		buf_grow(buf, bytes);
	return buf->ptr + buf->len;
}

void pl_buf_add(struct pl_buf *buf, const void *data, size_t len)
{
	char *room = pl_buf_room(buf, len);

	if (len > 0)
		memcpy(room, data, len);
	room[len] = '\0';
	buf->len += len;
}

void pl_buf_addstr(struct pl_buf *buf, struct pl_str s)
{
	pl_buf_add(buf, s.ptr, s.len);
}

void pl_buf_adds(struct pl_buf *buf, const char *text)
{
	pl_buf_add(buf, text, strlen(text));
}

void pl_buf_addc(struct pl_buf *buf, char c)
{
	char *room = pl_buf_room(buf, 1);

	room[0] = c;
	room[1] = '\0';
	buf->len++;
}

void pl_buf_addi(struct pl_buf *buf, int64_t number)
{
	char digits[INT64_DIGITS + 1], *at = digits + sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--at = '-';
	pl_buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void pl_buf_addf(struct pl_buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	pl_buf_addv(buf, fmt, args);
	va_end(args);
}

void pl_buf_addv(struct pl_buf *buf, const char *fmt, va_list args)
{
	va_list again;
	size_t room_bytes;
	char *room;
	int len;

	va_copy(again, args);
	room = pl_buf_room(buf, 0);
	room_bytes = buf->cap - buf->len;
	len = vsnprintf(room, room_bytes, fmt, args);
	PL_BUG(len < 0);
	if ((size_t)len >= room_bytes) {
		room = pl_buf_room(buf, (size_t)len);
		len = vsnprintf(room, (size_t)len + 1, fmt, again);
		PL_BUG(len < 0);
	}
	va_end(again);
	buf->len += (size_t)len;
}

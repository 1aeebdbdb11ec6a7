/* SPDX-License-Identifier: ISC */
/*
 * Borrowed text {ptr, len}, a growing buffer, and the checks that every text from outside passes.
 */
#ifndef PL_STR_H
#define PL_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pool.h"

/* A view of text that other code owns. ptr == NULL means "absent", which differs from "" . Not NUL-terminated. */
struct pl_str {
	const char *ptr;
	size_t len;
};

#define PL_STR(lit) ((struct pl_str){ (lit), sizeof(lit) - 1 })
#define PL_STR_NONE ((struct pl_str){ NULL, 0 })
/* For "%.*s" */
#define PL_FMT(s) (int)(s).len, (s).ptr != NULL ? (s).ptr : ""

static inline struct pl_str pl_str(const char *text)
{
	return (struct pl_str){ text, text != NULL ? strlen(text) : 0 };
}

static inline struct pl_str pl_strn(const char *text, size_t len)
{
	return (struct pl_str){ text, len };
}

bool pl_str_eq(struct pl_str a, struct pl_str b);
bool pl_str_is(struct pl_str a, const char *text);
bool pl_str_ieq(struct pl_str a, struct pl_str b);		/* ASCII case folded */
bool pl_str_starts(struct pl_str s, const char *prefix);
bool pl_str_istarts(struct pl_str s, const char *prefix);
struct pl_str pl_str_trim(struct pl_str s);			/* blanks and tabs at both ends */
struct pl_str pl_str_dup(struct pl_pool *pool, struct pl_str s); /* NUL-terminated copy; absent stays absent */
const char *pl_str_c(struct pl_pool *pool, struct pl_str s);	/* the same as a C string; absent gives NULL */
/* The text without the byte order mark that Windows programs write before UTF-8. */
struct pl_str pl_str_unmarked(struct pl_str s);
/* Cuts *rest at the first `sep`; returns the part before it and leaves the rest; false when *rest is absent. */
bool pl_str_cut(struct pl_str *rest, char sep, struct pl_str *part_r);

/* Whole text is one decimal number in range, no sign unless min < 0, no blanks, no leading '+'. */
bool pl_str_i64(struct pl_str s, int64_t min, int64_t max, int64_t *out_r) PL_MUSTCHECK;

/* Strict UTF-8 (RFC 3629: no overlong forms, no surrogates, none above U+10FFFF) without U+0000. */
bool pl_utf8_ok(const char *text, size_t len) PL_MUSTCHECK;
/*
 * The same for a stream. *state is 0 at the start. Returns false at the first invalid byte. The text is complete when
 * *state is 0 again.
 */
bool pl_utf8_feed(uint32_t *state, const char *text, size_t len) PL_MUSTCHECK;
/* Longest prefix of at most `max` bytes that does not cut a character. */
size_t pl_utf8_cut(const char *text, size_t len, size_t max);
/* Code points in valid text. */
size_t pl_utf8_count(const char *text, size_t len);

/*
 * A growing byte buffer, always NUL-terminated after `len`. pool != NULL: memory from that pool, never freed singly;
 * NULL: heap, freed with pl_buf_fini(). Start with PL_BUF(pool) or zeroed memory.
 */
struct pl_buf {
	char *ptr;
	size_t len, cap;
	struct pl_pool *pool;
};
#define PL_BUF(p) ((struct pl_buf){ .pool = (p) })

void pl_buf_fini(struct pl_buf *buf);
void pl_buf_reset(struct pl_buf *buf);			/* keeps the memory */
char *pl_buf_room(struct pl_buf *buf, size_t bytes);	/* at least `bytes` writable behind len; len unchanged */
void pl_buf_add(struct pl_buf *buf, const void *data, size_t len);
void pl_buf_addstr(struct pl_buf *buf, struct pl_str s);
void pl_buf_adds(struct pl_buf *buf, const char *text);
void pl_buf_addc(struct pl_buf *buf, char c);
void pl_buf_addi(struct pl_buf *buf, int64_t number);
void pl_buf_addf(struct pl_buf *buf, const char *fmt, ...) PL_PRINTF(2, 3);
void pl_buf_addv(struct pl_buf *buf, const char *fmt, va_list args) PL_PRINTF(2, 0);
static inline struct pl_str pl_buf_str(const struct pl_buf *buf)
{
	return (struct pl_str){ buf->ptr != NULL ? buf->ptr : "", buf->len };
}

#endif

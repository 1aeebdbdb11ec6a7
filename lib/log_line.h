/* SPDX-License-Identifier: ISC */
/*
 * One log line under construction: fields from a printf format, quoted so that it stays one line. For lib/log*.c only.
 */
#ifndef PL_LOG_LINE_H
#define PL_LOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* PIPE_BUF: a line goes into a pipe whole or not at all, also when several processes share it. */
#define PL_LINE_BYTES 4096
/* Text of one value; what is longer is cut and ends in "...". */
#define PL_LINE_VALUE_BYTES 1024

struct pl_line {
	char text[PL_LINE_BYTES];	/* not NUL-terminated */
	size_t len;
	bool json;
	bool cut;			/* a field did not fit */
};

void pl_line_start(struct pl_line *line, bool json);
/* One field with a text value: quoted and escaped where the format needs it. */
void pl_line_text(struct pl_line *line, const char *key, const char *value);
void pl_line_int(struct pl_line *line, const char *key, long value);
/*
 * Fields as in pl_log(): "key=%s other=%d". A value ends at the first blank of the format. A value without %s, %c, or
 * %p that has the form of a number is a number in JSON. NULL for %s is written as "-". A word without '=' becomes
 * note=word. All conversions of C11 but %n, and %m. `error` is the errno for %m.
 */
void pl_line_fields(struct pl_line *line, const char *fmt, va_list args, int error);
/* Closes the line and adds LF. */
void pl_line_end(struct pl_line *line);

#endif

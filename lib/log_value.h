/* SPDX-License-Identifier: ISC */
/*
 * The text of one log value, made from a piece of a printf format. Private to lib/log*.c.
 */
#ifndef PL_LOG_VALUE_H
#define PL_LOG_VALUE_H

#include <stdarg.h>

#include "log_line.h"

struct pl_log_value {
	char text[PL_LINE_VALUE_BYTES];	/* raw, not yet escaped; not NUL-terminated */
	size_t len;
	bool is_text;			/* %s, %c, %p or %m took part: never a JSON number */
	bool full;
};

/* A struct, because passing the address of a va_list is not portable. */
struct pl_log_args { va_list args; int error; };

/* Appends; what does not fit is dropped at a character border and "..." ends the value. */
void pl_log_value_add(struct pl_log_value *value, const char *text, size_t len);
/* Formats up to the first blank or the end of `fmt` and returns the place. */
const char *pl_log_value_format(struct pl_log_value *value, const char *fmt, struct pl_log_args *from);

#endif

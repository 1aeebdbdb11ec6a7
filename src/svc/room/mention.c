/* SPDX-License-Identifier: ISC */
/*
 * Mentions: "@name" at the start or after a character that is no part of a word, not inside `code` or ``` blocks.
 */
#include <ctype.h>

#include "svc/room/role_answer.h"

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static size_t run_of(struct pl_str text, size_t at, char c)
{
	size_t n = 0;

	while (at + n < text.len && text.ptr[at + n] == c)
		n++;
	return n;
}

/* Behind the code that starts at `at` with `ticks` backticks; the end of the ticks when it is never closed. */
static size_t skip_code(struct pl_str text, size_t at, size_t ticks)
{
	for (size_t i = at + ticks; i < text.len; i++) {
		size_t n = run_of(text, i, '`');

		if (n == ticks)
			return i + n;
		if (n > 0)
			i += n - 1;
	}
	return at + ticks;
}

bool mention_has(struct pl_str text, struct pl_str name)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t end = i + 1;

		if (text.ptr[i] == '`') {
			i = skip_code(text, i, run_of(text, i, '`')) - 1;
			continue;
		}
		if (text.ptr[i] != '@' || (i > 0 && (name_char(text.ptr[i - 1]) ||
		    (unsigned char)text.ptr[i - 1] >= 0x80)))
			continue;
		while (end < text.len && name_char(text.ptr[end]))
			end++;
		if (pl_str_ieq(pl_strn(text.ptr + i + 1, end - i - 1), name))
			return true;
		/* "@bob." at the end of a sentence is bob; names may hold dots and dashes, so both are tried */
		while (end > i + 1 && (text.ptr[end - 1] == '.' || text.ptr[end - 1] == '-'))
			if (pl_str_ieq(pl_strn(text.ptr + i + 1, --end - i - 1), name))
				return true;
	}
	return false;
}

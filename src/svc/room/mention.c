/* SPDX-License-Identifier: ISC */
/*
 * Mentions: "@name" at the start or after a character that is no part of a word, not inside `code` or ``` blocks.
 */
#include "svc/room/role_answer.h"

#include "db/repo/name.h"

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

/* Bytes of `name` if the text at `at` says it as a whole word, else 0. Dots and dashes behind it end a sentence. */
static size_t says(struct pl_str text, size_t at, struct pl_str name)
{
	size_t end = at + name.len;

	if (name.len == 0 || end > text.len || !pl_str_ieq(pl_strn(text.ptr + at, name.len), name))
		return 0;
	while (end < text.len && (text.ptr[end] == '.' || text.ptr[end] == '-'))
		end++;
	return end < text.len && name_char(text.ptr[end]) ? 0 : name.len;
}

/* The place behind the next '@' that begins a mention, from *at on; false: there is none. */
static bool next_at(struct pl_str text, size_t *at)
{
	for (size_t i = *at; i < text.len; i++) {
		if (text.ptr[i] == '`') {
			i = skip_code(text, i, run_of(text, i, '`')) - 1;
		} else if (text.ptr[i] == '@' && (i == 0 || !(name_char(text.ptr[i - 1]) ||
		    (unsigned char)text.ptr[i - 1] >= 0x80))) {
			*at = i + 1;
			return true;
		}
	}
	return false;
}

bool mention_has(struct pl_str text, struct pl_str name)
{
	for (size_t at = 0; next_at(text, &at);)
		if (says(text, at, name) > 0)
			return true;
	return false;
}

static size_t says_role(struct pl_str text, size_t at, const struct role *role)
{
	size_t name = says(text, at, role->name), display = says(text, at, role->display);

	return name > display ? name : display;
}

void mention_mark(struct pl_str text, const struct role *roles, int count, bool *marks)
{
	for (size_t at = 0; next_at(text, &at);) {
		size_t longest = 0;

		for (int i = 0; i < count; i++) {
			size_t len = says_role(text, at, &roles[i]);

			longest = len > longest ? len : longest;
		}
		for (int i = 0; longest > 0 && i < count; i++)
			marks[i] = marks[i] || says_role(text, at, &roles[i]) == longest;
	}
}

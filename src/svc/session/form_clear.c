/* SPDX-License-Identifier: ISC */
/*
 * "Forget my income", "delete my name, please", "don't store my address", "erase all my data": requests to delete
 * values. A message counts as a request only if every word of it is understood.
 */
#include <ctype.h>

#include "svc/session/form.h"

#define WORDS_MAX 24
#define WORD_MAX 24

static const char acts[] = " forget delete remove erase clear withdraw wipe discard drop unsave ";
static const char keeps[] = " store keep save remember record note retain hold use log ";
static const char denies[] = " dont not never cant mustnt shouldnt stop without ";
static const char alls[] = " everything data details information info values entries ";
static const char others[] =
    " my mine the please pls plz can could would will you u i id want need wish like to from of about me that this "
    "just now again and or also too again out your system records record database form list file ok okay no hi hey "
    "hello thanks thank sorry then rather have has i've ive gave given told said noted stored saved it's any more "
    "anymore longer personal yearly annual monthly full own all immediately completely do go ahead and so what whole "
    "both value ";

struct words { char word[WORDS_MAX][WORD_MAX + 1]; int count; bool full; };

static bool in_list(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at++)
		if (at > list && at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

/* Lower-case words without apostrophes and dashes: "don't" becomes "dont", "e-mail" becomes "email". */
static void split(struct pl_str text, struct words *w)
{
	size_t len = 0;

	*w = (struct words){ .count = 0 };
	for (size_t i = 0; i <= text.len && !w->full; i++) {
		unsigned char c = i < text.len ? (unsigned char)text.ptr[i] : ' ';

		if (c == 0xe2 && text.len - i > 2 && memcmp(text.ptr + i, "\u2019", 3) == 0) {
			i += 2;
		} else if (c >= 0x80 || isalnum(c)) {
			w->full = len == WORD_MAX || w->count == WORDS_MAX;
			if (!w->full)
				w->word[w->count][len++] = (char)tolower(c);
		} else if (c != '\'' && c != '-' && len > 0) {
			w->word[w->count++][len] = '\0';
			len = 0;
		}
	}
}

static bool is_word(const char *word, const char *name)
{
	char plain[WORD_MAX + 1];
	size_t n = 0;

	for (; *name != '\0' && n < WORD_MAX; name++)
		if (*name != '-' && *name != '\'')
			plain[n++] = (char)tolower((unsigned char)*name);
	plain[n] = '\0';
	return strcmp(word, plain) == 0;
}

/* Returns the slot that the word names; -1: none; -2: several. */
static int named(const struct form *form, const struct form_state *state, const char *word)
{
	int slot = -1;

	for (int i = 0; i < form->count; i++) {
		struct read_want want = form_want(form, state, i);
		bool names = is_word(word, form->slots[i].name) || is_word(word, form->slots[i].s->label);

		for (int k = 0; k < want.words_count && !names; k++)
			names = is_word(word, want.words[k]);
		if (names)
			slot = slot == -1 ? i : -2;
	}
	return slot;
}

bool form_clears(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step)
{
	struct words *w = pl_alloc(pool, sizeof(*w));
	bool want[FORM_SLOTS_MAX] = { false }, acted = false, denied = false;
	bool all = false, some = false, several = false;

	split(text, w);
	if (w->full)
		return false;
	for (int i = 0; i < w->count; i++) {
		const char *word = w->word[i];
		int slot = named(form, state, word);

		if (in_list(denies, word)) {
			denied = true;
		} else if (in_list(acts, word) && !acted) {
			if (denied)
				return false;	/* "don't forget my name" */
			acted = true;
		} else if (in_list(keeps, word) && denied) {
			acted = true;
		} else if (slot >= 0) {
			want[slot] = some = true;
		} else if (slot == -2) {
			several = true;
		} else if (in_list(alls, word)) {
			all = true;
		} else if (!in_list(others, word)) {
			return false;
		}
	}
	if (!acted || (!some && !all) || (several && !some && !all))
		return false;
	step->clears = true;
	for (int i = 0; i < form->count; i++)
		step->cleared[i] = state->filled[i] && (some ? want[i] : all);
	return true;
}

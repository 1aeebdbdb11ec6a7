/* SPDX-License-Identifier: ISC */
/*
 * Thresholds of a question: "more than 10 dollars", "at least 1,000 tokens", "> $2.50".
 */
#include <stdlib.h>

#include "svc/usage/intent_int.h"

/* Digits with commas in groups of three, and a fraction; a plain number of at most 15 digits. */
static bool plain_number(struct pl_str text, double *n_r)
{
	char digits[32];
	size_t len = 0, group = 0;
	bool grouped = false, fraction = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == ',' && !fraction && i > 0 && (grouped ? group == 3 : group <= 3)) {
			grouped = true;
			group = 0;
			continue;
		}
		if (c == '.' && !fraction && i > 0 && i + 1 < text.len && (!grouped || group == 3))
			fraction = true;
		else if (c < '0' || c > '9')
			return false;
		if (len + 1 >= sizeof(digits) || len > 15)
			return false;
		digits[len++] = c;
		group += !fraction;
	}
	digits[len] = '\0';
	*n_r = len > 0 ? strtod(digits, NULL) : 0;
	return len > 0 && (!grouped || group == 3);
}

static double scale_of(char c)
{
	return c == 'k' || c == 'K' ? 1e3 : c == 'm' || c == 'M' ? 1e6 : 0;
}

int number_read(const struct tokens *tokens, int at, double *n_r, bool *money_r)
{
	struct pl_str word = token_word(tokens, at), next = token_word(tokens, at + 1);
	int used = 1;
	int64_t n;

	*money_r = word.len > 1 && (word.ptr[0] == '$' || word.ptr[word.len - 1] == '$');
	if (*money_r)
		word = pl_strn(word.ptr + (word.ptr[0] == '$'), word.len - 1);
	if (word_count(word, &n) && (word.ptr[0] < '0' || word.ptr[0] > '9')) {
		*n_r = (double)n;
	} else if (word.len > 1 && scale_of(word.ptr[word.len - 1]) > 0) {
		if (!plain_number(pl_strn(word.ptr, word.len - 1), n_r))
			return 0;
		*n_r *= scale_of(word.ptr[word.len - 1]);
	} else if (!plain_number(word, n_r)) {
		return 0;
	}
	if (word_among(next, "thousand million billion")) {
		*n_r *= word_among(next, "thousand") ? 1e3 : word_among(next, "million") ? 1e6 : 1e9;
		used++;
	}
	return used;
}

/* Reads the words before the number. Returns the number of tokens. */
static int comparator(const struct tokens *t, int at, enum intent_limit *limit_r)
{
	static const struct { const char *words; enum intent_limit limit; } two[] = {
		{ "more greater higher larger bigger", LIMIT_OVER }, { "less fewer lower smaller", LIMIT_UNDER } };
	static const struct { const char *words; enum intent_limit limit; } one[] = {
		{ "over above exceeding > exceeded exceed", LIMIT_OVER }, { "under below <", LIMIT_UNDER },
		{ ">= ≥", LIMIT_MIN }, { "<= ≤", LIMIT_MAX }, { "exactly = ==", LIMIT_EQUAL } };
	struct pl_str word = token_word(t, at), next = token_word(t, at + 1);

	if (word_among(word, "at") && word_among(next, "least most")) {
		*limit_r = word_among(next, "least") ? LIMIT_MIN : LIMIT_MAX;
		return 2;
	}
	for (size_t i = 0; i < PL_COUNT(two); i++) {
		*limit_r = two[i].limit;
		if (word_among(word, two[i].words) && word_among(next, "than"))
			return 2;
	}
	for (size_t i = 0; i < PL_COUNT(one); i++) {
		*limit_r = one[i].limit;
		if (word_among(word, one[i].words))
			return 1;
	}
	return 0;
}

void limits_read(struct tokens *tokens, struct limit_phrase *out)
{
	*out = (struct limit_phrase){ .limit = LIMIT_NONE };
	for (int at = 0; at < tokens->count; at++) {
		struct limit_phrase phrase;
		int head, used, at_number;

		if (tokens->list[at].kind != TOKEN_WORD || word_among(token_word(tokens, at - 1), "not no"))
			continue;
		head = comparator(tokens, at, &phrase.limit);
		at_number = at + head;
		used = number_read(tokens, at_number, &phrase.bound, &phrase.money);
		if (used == 0 || word_unit(token_word(tokens, at_number + used)) != UNIT_NONE)
			continue;	/* "over 30 days" is a period */
		if (head == 0 && word_among(token_word(tokens, at + used), "or") &&
		    word_among(token_word(tokens, at + used + 1), "more less fewer")) {
			phrase.limit = word_among(token_word(tokens, at + used + 1), "more") ? LIMIT_MIN : LIMIT_MAX;
			used += 2;
		} else if (head == 0) {
			continue;
		}
		if (word_among(token_word(tokens, at_number + used), "dollars dollar usd bucks $")) {
			phrase.money = true;
			used++;
		}
		phrase.count = out->count + 1;
		*out = phrase;
		tokens_take(tokens, at, head + used, TOKEN_LIMIT);
	}
}

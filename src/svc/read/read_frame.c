/* SPDX-License-Identifier: ISC */
/* Sentences that name a value: "my income is", "I earn", "change my name to". */
#include "svc/read/read_int.h"

bool is_own_word(const struct read_want *want, struct pl_str word)
{
	for (int i = 0; i < want->words_count; i++)
		if (pl_str_ieq(word, pl_str(want->words[i])))
			return true;
	return false;
}

/* Slot words at `at`, such as "e-mail address"; *link: they end with "'s". */
int own_words(const struct read_message *m, const struct read_want *want, int at, int to, bool *link)
{
	int from = at;

	for (*link = false; at < to && m->tokens[at].type == TOKEN_WORD && !*link; at++) {
		struct pl_str word = m->tokens[at].word;

		if (word.len > 2 && memcmp(word.ptr + word.len - 2, "'s", 2) == 0) {
			word.len -= 2;
			*link = true;
		}
		if (!is_own_word(want, word)) {
			*link = false;
			break;
		}
	}
	return at - from;
}

/* "my yearly income is", "change my name to", "email:", "the address should be" */
static bool word_frame(const struct read_message *m, const struct read_want *want, int at, int to, struct frame *out)
{
	static const char links[] =
	    "_ is _|_ are _|is now|_ should be|_ would be|has changed to|changed to|_ of|=|:|-|is "
	    "actually|"
	    "is like this :|is as follows :|is :|it is|_ is still|must be|should read|ist|es|est";
	struct frame f = {.to = at, .explicit = true};
	bool link;
	int n;

	if ((n = phrase_at(m, at, to,
		 "change|update|correct|set|fix|switch|edit|modify|please change|please update|i want to change|i'd "
		 "like to "
		 "change|i would like to change|can you change|i need to change|let me correct|i want to correct|i "
		 "have to correct|i meant|"
		 "i _ meant|i mean|i have|i _ get|with|there is")) > 0) {
		f.correction = !token_in(&m->tokens[at + n - 1], " have get with is ");
		at += n;
	}
	if (at < to && token_in(&m->tokens[at], " my our the a an ")) {
		/* "our income", and "the average income" unless it was requested, may be another value */
		f.partial = token_in(&m->tokens[at], " our ") ||
		    (n == 0 && !want->asked && (want->kind == READ_AMOUNT || want->kind == READ_PHONE) &&
			!token_in(&m->tokens[at], " my "));
		at++;
	}
	for (; at < to && (token_in(&m->tokens[at], words_adjective) || token_in(&m->tokens[at], words_part_name));
	     at++) {
		bool dummy;

		if (own_words(m, want, at, to, &dummy) > 0 &&
		    !(at + 1 < to && own_words(m, want, at + 1, to, &dummy) > 0))
			break;
		f.partial = f.partial || token_in(&m->tokens[at], words_part_name);
		if (amount_period(&m->tokens[at]) != READ_PER_NONE)
			f.per = amount_period(&m->tokens[at]);
	}
	n = own_words(m, want, at, to, &link);
	if (n == 0)
		return false;
	at += n;
	n = link ? 0 : phrase_at(m, at, to, links);
	if (n == 0 && f.correction)
		n = phrase_at(m, at, to, "_ to");
	if (n == 0 && !link && !f.correction)
		f.explicit = false;
	f.to = at + n;
	*out = f;
	return true;
}

/* "and make 60k": the "I" is in an earlier clause. */
static int says_at(const struct read_message *m, const struct read_want *want, int at, int to)
{
	struct pl_str rest = pl_str(want->says), phrase;
	int best = phrase_at(m, at, to, want->says);

	while (best == 0 && at > 0 && token_in(&m->tokens[at - 1], " and ") && pl_str_cut(&rest, '|', &phrase)) {
		phrase = pl_str_trim(phrase);
		if (pl_str_istarts(phrase, "i "))
			best = phrase_at(m, at, to, pl_str_c(m->pool, pl_strn(phrase.ptr + 2, phrase.len - 2)));
	}
	return best;
}

bool frame_at(const struct read_message *m, const struct read_want *want, int at, int to, struct frame *out)
{
	static const char *const strong[] = {[READ_NAME] = phrases_name,
	    [READ_EMAIL] = phrases_email,
	    [READ_AMOUNT] = "",
	    [READ_DATE] = "",
	    [READ_PHONE] = phrases_phone};
	struct frame by_word = {.to = at};
	int n = phrase_at(m, at, to, strong[want->kind]), says = want->says[0] != '\0' ? says_at(m, want, at, to) : 0;

	n = says > n ? says : n;
	if (word_frame(m, want, at, to, &by_word) && by_word.to - at >= n) {
		*out = by_word;
		return true;
	}
	*out = (struct frame){.to = at + n, .explicit = n > 0};
	if (n > 0)
		return true;
	n = phrase_at(m, at, to, want->kind == READ_NAME ? phrases_name_weak : phrases_weak);
	says = phrase_at(m, at, to, phrases_change);
	out->to = at + (says > n ? says : n);
	out->correction = says > 0 && says >= n && !token_in(&m->tokens[at], " it's it that's use try ");
	return n > 0 || says > 0;
}

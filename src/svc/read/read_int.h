/* SPDX-License-Identifier: ISC */
/*
 * Tokens, clauses, and tables of words, shared by read_*.c only.
 */
#ifndef SVC_READ_INT_H
#define SVC_READ_INT_H

#include "svc/read/read.h"

#define READ_TOKENS_MAX 400
#define READ_CLAUSES_MAX 96

enum token_type { TOKEN_WORD, TOKEN_NUMBER, TOKEN_ADDRESS, TOKEN_SIGN, TOKEN_OTHER };

struct token {
	enum token_type type;
	struct pl_str text;	/* part of the message */
	struct pl_str word;	/* WORD: lower case, form C, straight apostrophes; SIGN: ASCII where there is one */
	size_t from, to;
	bool glued;		/* no blank before it */
	bool capital;		/* WORD: begins with a capital, or its script has none */
	bool dot;		/* WORD: one letter or an abbreviation with its full stop */
	bool filler;		/* part of a phrase without meaning */
	bool known;		/* part of a value or of a sentence that was understood */
};

/* [from, to) of the tokens; ends at . ! ? ; : and commas, and before "and I", "and my" */
struct clause { int from, to; bool asks; };

struct read_message {
	struct pl_pool *pool;
	struct pl_str text;
	struct token *tokens;
	int count;
	struct clause *clauses;
	int clauses_count;
};

/* A value at a token. to: the first token after it. */
struct found {
	int to;
	struct pl_str value, other;
	enum read_verdict verdict;	/* of the value alone */
	enum read_per per;
	/* AMOUNT: with a currency, a factor, or a period; NAME: every word looks like a name */
	bool marked;
};

/* read_token.c; false: too much */
bool read_tokens(struct read_message *m);
/* The text has letters of several scripts: joined words, or letters that look like other ones. */
bool text_is_mixed(struct pl_str text);

/*
 * read_script.c: words of scripts without capitals and, in some of them, without blanks. script_asks(): the word asks a
 * question; script_talks(): it belongs to a request or a greeting. Names do not contain such parts.
 */
bool script_asks(struct pl_str word);
bool script_talks(struct pl_str word);

/* read_clause.c */
void read_clauses(struct read_message *m);
bool read_clause_asks(const struct read_message *m, int from, int to);

/* read_words.c: tables of words, blanks between them and at both ends */
extern const char words_name[], words_name_too[], words_name_never[], words_common[], words_title[], words_suffix[],
    words_particle[], words_filler[], words_doubt[], words_not[], words_change[], words_third[], words_wish[],
    words_yes[], words_no[], words_past[], words_about[], words_bound[], words_adjective[], words_pronoun[],
    words_question[], words_auxiliary[], words_part_name[], han_names[], han_not[], hangul_names[], hangul_not[];
bool word_in(const char *table, struct pl_str word);
bool token_in(const struct token *t, const char *table);
/* Returns whether the word, also without -s, -ed, -ing, or -ly, is an everyday word. */
bool word_is_common(struct pl_str word);
/* Returns the number of tokens of the longest of the phrases (separated by "|") at `at`; 0: none matches. */
int phrase_at(const struct read_message *m, int at, int to, const char *phrases);
extern const char phrases_filler[], phrases_name[], phrases_name_weak[], phrases_email[], phrases_phone[],
    phrases_weak[], phrases_change[], phrases_refusal[], phrases_talk[], phrases_about[], phrases_after[],
    phrases_said[];

/* Values; false: there is none at this token. */
bool name_at(const struct read_message *m, int at, int to, bool told, struct found *out);
bool address_at(const struct read_message *m, int at, int to, struct found *out);
bool amount_at(const struct read_message *m, int at, int to, struct found *out);
bool is_currency_sign(const struct token *t);
enum read_per amount_period(const struct token *t);	/* "monthly" */
bool date_at(const struct read_message *m, int at, int to, struct found *out);
bool phone_at(const struct read_message *m, int at, int to, struct found *out);

/* read_frame.c: the start of a sentence that gives a value. to: the token where the value must be. */
/* per: "my monthly income" */
struct frame { int to; bool explicit, correction, partial; enum read_per per; };
bool frame_at(const struct read_message *m, const struct read_want *want, int at, int to, struct frame *out);
/* Returns whether the word names the value, and how many tokens at `at` do. link: they end with "'s". */
bool is_own_word(const struct read_want *want, struct pl_str word);
int own_words(const struct read_message *m, const struct read_want *want, int at, int to, bool *link);

/* read_number.c: digits with marks, or words, with factors. */
struct number { int to; int64_t cents; bool factor, words; };
bool number_at(const struct read_message *m, int at, int to, struct number *out);
/* Digits with marks, as ASCII; "1.234,5" -> 123450 cents; decimals[] scaled by 10^digits. false: malformed. */
struct digits { int64_t whole, part, scale; bool unclear; };
bool digits_read(struct pl_str text, struct digits *out);
int month_of(struct pl_str word);	/* 1..12; 0: none */

static inline bool sign_is(const struct token *t, char c)
{
	return t->type == TOKEN_SIGN && t->word.len == 1 && t->word.ptr[0] == c;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Finds values in the messages of people: names, mail addresses, amounts, dates, and phone numbers. Pure functions:
 * from a text to the values that were understood and the words that were left over. No files, no clock, no network, no
 * state.
 *
 * read_message() cuts the text into tokens and clauses. read_values() looks for values in it and reports a verdict on
 * each: READ_SURE only if no word that is left over could change the value.
 */
#ifndef SVC_READ_H
#define SVC_READ_H

#include "str.h"

#define READ_TEXT_MAX 4096	/* bytes; nothing is taken from a longer message */

enum read_kind { READ_NAME, READ_EMAIL, READ_AMOUNT, READ_DATE, READ_PHONE };
enum read_verdict {
	READ_NOTHING,
	READ_UNSURE,		/* a value, but words are left over: ask whether it is correct */
	READ_SEVERAL,		/* different values: ask which one */
	READ_RANGE,		/* of an amount: ask for one number */
	READ_RATE,		/* of an amount: given for another period than the requested one */
	READ_SURE,
};
enum read_per { READ_PER_NONE, READ_PER_HOUR, READ_PER_DAY, READ_PER_WEEK, READ_PER_MONTH, READ_PER_YEAR };

struct read_message;

/* A value to look for. */
struct read_want {
	enum read_kind kind;
	bool asked;			/* the person was just asked for it: it may be the whole message */
	bool open;			/* there is no value yet */
	const char *const *words;	/* words that name it: "income", "salary" */
	int words_count;
	const char *says;		/* phrases that introduce it: "I earn | I make"; "": none */
	enum read_per per;		/* of an amount: the requested period; NONE: any, if the message names none */
	struct pl_str old;		/* the current value, to find it in "Anne, not Ann"; absent: none */
};

struct read_value {
	enum read_verdict verdict;
	struct pl_str value;		/* "80000", "ann@example.org", "2026-02-01" */
	struct pl_str raw;		/* as written */
	struct pl_str other;		/* SEVERAL: another value; RANGE: the upper end */
	enum read_per per;		/* RATE: the period */
	bool explicit;			/* a sentence says what it is: "my name is .." */
	bool correction;		/* words announce that it replaces something */
};

/* NULL: the text is longer than READ_TEXT_MAX or has too many words. */
struct read_message *read_message(struct pl_pool *pool, struct pl_str text);
/* Looks for all values in one call, because a word that belongs to one value is not left over for the others. */
void read_values(struct read_message *m, const struct read_want *wants, int count, struct read_value *out);
/*
 * Checks whether `raw`, which other code found in the message, is a complete value of this kind. Returns SURE, UNSURE
 * if the rest of the message could change it, or NOTHING.
 */
enum read_verdict read_check(struct read_message *m, const struct read_want *want, struct pl_str raw,
    struct read_value *out);

/*
 * A mail address that is mistyped, "ann@example,org": the probable address, and its spelling in the message. Absent:
 * there is none, more than one, or it is correct.
 */
struct pl_str read_mistyped(struct pl_pool *pool, struct pl_str text, struct pl_str *raw_r);

/* ---- the meaning of the message ---- */

bool read_asks(const struct read_message *m);		/* it contains a question */
bool read_yes(const struct read_message *m);		/* it says yes, and nothing else */
bool read_no(const struct read_message *m);		/* it says no, and nothing else */
bool read_refuses(const struct read_message *m);	/* "I'd rather not say" */
bool read_talks(const struct read_message *m);		/* a greeting, a complaint, a request for a person */
bool read_tells(const struct read_message *m);		/* about payments, orders, or other people: "I paid 49.99" */
bool read_denies(const struct read_message *m);		/* it contains "not" or "never" */
/* The message has a word of `words`, and otherwise only filler words: "please stop this", not "stop my order". */
bool read_only(const struct read_message *m, const char *const *words, int words_count);
/* After read_values(): returns whether a word with meaning is left over that is not part of a value. */
bool read_has_left(const struct read_message *m);
/* The message names the value, but does not give one: "my email is wrong". */
bool read_names(const struct read_message *m, const struct read_want *want);
int read_words(const struct read_message *m);

/*
 * Positions of amounts, for masks: spans of bytes, ascending. cents -1: all amounts; READ_ASKED_ABOUT: those in a
 * question that may be amounts of the person; else those that are equal to cents.
 */
#define READ_ASKED_ABOUT (-2)
struct read_span { size_t from, to; };
int read_amounts(struct read_message *m, int64_t cents, struct read_span *spans, int max);
/* The same for values of another kind, also those in questions and beside "not". */
int read_spans(struct read_message *m, enum read_kind kind, struct read_span *spans, int max);
/* Returns whether it contains an amount. A small number word, as in "one question", does not count. */
bool read_has_amount(struct read_message *m);
/* "80000" or "80000.5" as cents; -1: neither. */
int64_t read_cents(struct pl_str value);

#endif

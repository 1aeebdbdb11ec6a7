/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the grammar: tokens, tables of words, and the calendar.
 */
#ifndef SVC_INTENT_INT_H
#define SVC_INTENT_INT_H

#include "svc/usage/intent.h"

#define TOKENS_MAX 100
#define COUNT_MAX 1000
#define DAY_S 86400
#define PERIODS_MAX 2

/* A phrase that was read as a period or a threshold becomes one token of that kind; its other tokens are GONE. */
enum token_kind { TOKEN_WORD, TOKEN_QUOTED, TOKEN_PERIOD, TOKEN_LIMIT, TOKEN_GONE };
struct token {
	struct pl_str text;		/* without quotes, final marks, and the 's of a possessive */
	enum token_kind kind;
	bool possessive, ends_clause;	/* a comma or a semicolon follows */
};
struct tokens { struct token list[TOKENS_MAX]; int count; };

/* NULL, or a sentence with the error of the text. */
const char *tokens_split(struct pl_pool *pool, struct pl_str text, struct tokens *out);
/* The word at `at`; "" if there is none. */
struct pl_str token_word(const struct tokens *tokens, int at);
void tokens_take(struct tokens *tokens, int at, int count, enum token_kind kind);

/* ---- words ---- */

/* Returns whether the word, without regard to case, is one of `list` (words separated by blanks). */
bool word_among(struct pl_str word, const char *list);
enum intent_metric word_metric(struct pl_str word);
enum intent_dim word_dim(struct pl_str word);
/* The same, also for phrases such as "hour of the day"; returns the number of tokens, 0: none matches. */
int dim_read(const struct tokens *tokens, int at, enum intent_dim *dim_r);
bool word_filler(struct pl_str word);
/* Returns whether it is a word of the language of questions, which is a name only in quotes. */
bool word_reserved(struct pl_str word);
/* "7", "seven" */
bool word_count(struct pl_str word, int64_t *n_r);
/* January is 1, Monday is 1; 0: none. */
int word_month(struct pl_str word);
int word_weekday(struct pl_str word);
/* A preposition or similar word that only a time or a name can follow. */
bool word_before_time(struct pl_str word);

/* ---- the calendar in the local time of the asker ---- */

enum unit { UNIT_NONE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_QUARTER, UNIT_HALF, UNIT_YEAR };
struct civil { int64_t year; int month, day; };

int64_t civil_seconds(int64_t year, int64_t month, int64_t day);	/* month may be any number: 13 is January */
struct civil civil_of(int64_t s);
bool civil_exists(int64_t year, int64_t month, int64_t day);
int civil_weekday(int64_t s);						/* Monday is 1 */
int64_t unit_start(enum unit unit, int64_t s);
int64_t unit_add(enum unit unit, int64_t s, int64_t n);			/* from a start of it to another */
/* The same day of another month, or that month's last day. */
int64_t civil_months_back(int64_t s, int64_t months);
enum unit word_unit(struct pl_str word);
extern const char *const unit_names[], *const month_names[13], *const weekday_names[8];

/* ---- phrases ---- */

/* A period that people name in words: a day, month, quarter ... [from, to). */
struct point {
	int64_t from, to;
	char text[64];
	int used;			/* tokens */
	bool yearless;			/* "October": the newest that has started */
	enum unit unit;
	bool rolling;			/* ends now */
	int hours;			/* rolling: this number of hours */
	bool current;			/* "this week": continues */
	bool past;			/* "last week": the one before the current */
	bool previous;			/* "previous 7 days": those before another period, next to which it is named */
};
bool point_read(const struct tokens *tokens, int at, int64_t now_s, struct point *out);

struct periods {
	struct intent_period list[PERIODS_MAX];
	int count, at[PERIODS_MAX];
	struct point point[PERIODS_MAX];
	bool than[PERIODS_MAX];		/* preceded by "than", "vs", or "compared to" */
	const char *why;		/* a sentence with the error */
	struct pl_str where;
};
void periods_read(struct pl_pool *pool, struct tokens *tokens, struct intent_now now, struct periods *out);
/* The previous period of the same length, up to the same point of it. */
void period_before(const struct point *point, const struct intent_period *period, struct intent_now now,
    struct intent_period *out);
/* The current period for an earlier one: this week for last week, today for yesterday; false: there is none. */
bool period_current(const struct point *point, struct intent_now now, struct intent_period *out);
void period_last_days(struct intent_now now, int days, struct intent_period *out);

struct limit_phrase { enum intent_limit limit; double bound; bool money; int count; };
/* Reads thresholds, such as "more than 10 dollars"; count: their number. */
void limits_read(struct tokens *tokens, struct limit_phrase *out);
/* A number in usual notation: 1,000, 10k, $2.50, 1.5 million. Returns the number of tokens, 0: it is not a number. */
int number_read(const struct tokens *tokens, int at, double *n_r, bool *money_r);

/* ---- the whole ---- */

/* Words that ask for a change. */
#define CHANGE_WORDS "up down increase increased increases increasing rise rose risen rising grow grew grown growing " \
	"growth drop dropped drops dropping fall fell fallen falling decrease decreased decreasing decline declined " \
	"change changed changes higher lower"
#define NO_DIM "what to group by is missing"

struct reader {
	struct tokens tokens;
	int at;
	struct intent *out;
	struct limit_phrase limit;
	bool dim_next;		/* after "per", "top" and similar words: a dimension must follow */
	bool dim_maybe;		/* after a dimension and "and": another one may follow */
	bool per;		/* the previous word was "per" or "each": the unit of an average */
	bool by;		/* the previous word was "by": a metric after it is the rank */
	bool active;		/* "active": ranks by number of messages */
	bool default_metric;	/* "most used", "top users": the metric follows from that */
	bool used;		/* "which models were used" */
	bool ranks;		/* "which", "top", "most" were read: "users with the most tokens" is about users */
	bool no_name;		/* a kind of things, not the name of one: "each user" */
	bool top_next;		/* what "top 5" counts */
	int top_dim;		/* index + 1 of that dimension */
	int dim_end;		/* end of the words of the newest dimension */
	bool who;		/* the dimension user came from "who" */
	bool compares;		/* "compare", "vs" */
	bool changes;		/* "go up", "increase": compared with the previous period */
	bool trend;
	int bad;		/* token that no rule accepts */
	const char *why;	/* a sentence about the error of this word; NULL: it is unknown */
};

bool intent_has_dim(const struct intent *in, enum intent_dim dim);
bool intent_averages(const struct intent *in);
/* false: the question already has it, or cannot have it; r->why has the reason. */
bool intent_add_dim(struct reader *r, enum intent_dim dim);
/* After all words were read; r->why is set if they do not fit together. */
void intent_finish(struct reader *r, const struct periods *periods, struct intent_now now);
bool intent_limit_skips(const struct intent *in);
/* A sentence that says why it cannot be grouped, filtered, or ranked this way; NULL: it can. */
const char *intent_misfit(const struct intent *in);

#define INTENT_CAN_ASK "Ask for messages, sessions, tokens, cost, feedback, users, rooms, errors, error rate, or " \
	"acceptance; per hour, day, week, month, quarter, year, hour of the day, weekday, user, room, model, or " \
	"role, or two of these; the average, median, or share; the most, the fewest, top 5, more than 10; of a " \
	"user, in a room, with a model, by name; today, last 7 days, this month, last quarter, in October, since " \
	"2026-01-31; this week vs last week."

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Parses a question in words to an intent from a closed vocabulary, by rules and offline. Pure: no database, no clock,
 * no time zone.
 *
 *   intent_read: text and the time of the asker -> intent, and words that may be names
 *   intent_name_candidates -> looked up in the data by the caller -> intent_settle: names become filters, or an error
 *
 * Files: intent_split.c (text to tokens), intent_words.c (tables of words), intent_calendar.c and intent_period.c
 * (periods), intent_limit.c (thresholds), intent.c (what is counted, per what, in which order), intent_names.c,
 * intent_translate.c (from a model).
 */
#ifndef SVC_INTENT_H
#define SVC_INTENT_H

#include "err.h"
#include "str.h"

#define INTENT_TEXT_MAX 500	/* characters of a question */
#define INTENT_DIMS_MAX 2
#define INTENT_NAMES_MAX 8	/* names of one kind */
#define INTENT_RUNS_MAX 12	/* places of a question that may hold names */
#define INTENT_RUN_WORDS 6

enum intent_metric { METRIC_NONE, METRIC_MESSAGES, METRIC_SESSIONS, METRIC_TOKENS, METRIC_COST, METRIC_FEEDBACK,
	METRIC_USERS, METRIC_ROOMS, METRIC_ERRORS, METRIC_ERROR_RATE, METRIC_ACCEPTANCE, METRIC_COUNT };
/* From DIM_HOUR to DIM_YEAR: steps of time, one after the other. DIM_SESSION is only a unit of averages. */
enum intent_dim { DIM_NONE, DIM_HOUR, DIM_DAY, DIM_WEEK, DIM_MONTH, DIM_QUARTER, DIM_YEAR,
	DIM_HOUR_OF_DAY, DIM_WEEKDAY, DIM_USER, DIM_ROOM, DIM_MODEL, DIM_ROLE, DIM_SESSION, DIM_COUNT };
enum intent_order { ORDER_NONE, ORDER_MOST, ORDER_LEAST, ORDER_COUNT };
enum intent_agg { AGG_SUM, AGG_AVERAGE, AGG_MEDIAN, AGG_SHARE, AGG_COUNT };
enum intent_limit { LIMIT_NONE, LIMIT_OVER, LIMIT_UNDER, LIMIT_MIN, LIMIT_MAX, LIMIT_EQUAL, LIMIT_COUNT };
/* Kinds of names; KIND_ANY: the question does not say which. */
enum intent_kind { KIND_ANY, KIND_USER, KIND_ROOM, KIND_MODEL, KIND_ROLE, KIND_COUNT };

/*
 * [from, to), in seconds of local time since 1970, as if it were UTC. An exact end is known in UTC (now, 24 hours ago)
 * and is in *_us; the caller computes the others by the rules of the time zone.
 */
struct intent_period {
	char text[64];			/* in words */
	int64_t from_s, to_s, from_us, to_us;
	bool from_exact, to_exact;
	bool open;			/* not over yet: it ends now, before its calendar end */
};

/* Consecutive words that no rule takes, or a quoted text; may be a name. */
struct intent_run {
	struct pl_str words[INTENT_RUN_WORDS];
	int count;
	enum intent_kind kind;		/* "user ann": must be of this kind */
	enum intent_kind hint;		/* "in kitchen": decides when several kinds have the name */
	bool quoted;
	bool mention;			/* of a translated question: if it is a name, the translation left it out */
};

struct intent {
	enum intent_metric metric;
	enum intent_agg agg;
	enum intent_dim unit;		/* "average per session": what the figure is averaged over */
	enum intent_dim dims[INTENT_DIMS_MAX];	/* in the order they were named; at most one of them a step of time */
	int dim_count;
	enum intent_order order;	/* none: by time where there is a step of it, else the most first */
	int top;			/* number of rows ("top 5"); 0: all */
	int each;			/* `top` applies to each value of dims[each - 1]; 0: to all rows */
	enum intent_limit limit;	/* "more than 10": of the figures of rows */
	double bound;
	bool mine;			/* "my", "I": the asker's own rows only */
	struct pl_str names[KIND_COUNT][INTENT_NAMES_MAX];	/* filters; one of these per kind */
	int name_count[KIND_COUNT];
	struct intent_period period;	/* "last 30 days" where the question names none */
	struct intent_period before;	/* the earlier one of a comparison */
	bool compares;
	bool assumed;			/* the period was not named */
	bool translated;		/* by a model */
	bool strange;			/* set by intent_settle(): words that may not be names were not understood */

	/* for intent_understood(), set by the caller */
	const char *zone;
	bool own;			/* the asker sees no other rows */

	struct intent_run runs[INTENT_RUNS_MAX];
	int run_count;
	bool versus;			/* "a vs b": needs two names of one kind */
};

struct intent_now { int64_t utc_us, local_s; };
struct intent_known { struct pl_str asked, name; enum intent_kind kind; };	/* asked: as in the question */

/* The words of an intent for clients and the database, units of figures, and texts for people. */
extern const char *const intent_metrics[METRIC_COUNT], *const intent_dims[DIM_COUNT], *const intent_orders[ORDER_COUNT],
    *const intent_aggs[AGG_COUNT], *const intent_limits[LIMIT_COUNT], *const intent_kinds[KIND_COUNT],
    *const intent_units[METRIC_COUNT], *const intent_metric_texts[METRIC_COUNT], *const intent_dim_texts[DIM_COUNT];
/* Words of each metric and dimension, separated by blanks, and sample periods, for GET /api/query/vocabulary. */
const char *intent_metric_words(enum intent_metric metric);
const char *intent_dim_words(enum intent_dim dim);
extern const char *const intent_periods[], *const intent_samples[];

static inline bool intent_is_time(enum intent_dim dim)
{
	return dim >= DIM_HOUR && dim <= DIM_YEAR;
}

/* Repeating steps: hours of the day, weekdays. */
static inline bool intent_is_cycle(enum intent_dim dim)
{
	return dim == DIM_HOUR_OF_DAY || dim == DIM_WEEKDAY;
}

/* Whether rows can be added: rates, averages, and medians have no sum, and users and rooms are counted once each. */
static inline bool intent_adds_up(const struct intent *in)
{
	return in->agg == AGG_SUM && in->metric != METRIC_USERS && in->metric != METRIC_ROOMS &&
	    in->metric != METRIC_ERROR_RATE && in->metric != METRIC_ACCEPTANCE;
}

/*
 * Reads a question into *out. Fails with PL_E_INVALID (body.query); the text contains what was understood, the words
 * that were not, and the possible questions.
 */
bool intent_read(struct pl_pool *pool, struct pl_str question, struct intent_now now, struct intent *out,
    struct pl_err *err) PL_MUSTCHECK;
/* Why the question needs a token: it is about the asker, or about users, rooms, or roles. NULL: it needs none. */
const char *intent_private(const struct intent *intent);
/* Every text of the runs that may be a name; in `pool`. */
const struct pl_str *intent_name_candidates(struct pl_pool *pool, const struct intent *in, int *count_r);
/*
 * Turns the runs into filters, by the names that exist (known). Fails with PL_E_INVALID if a name does not exist, if it
 * belongs to things of several kinds, or if the question cannot be asked about a thing of that kind.
 */
bool intent_settle(struct pl_pool *pool, struct intent *in, const struct intent_known *known, int count,
    struct pl_err *err) PL_MUSTCHECK;

/* ---- translation by a model (intent_translate.c) ---- */

/* Returns whether a model may be asked. Not if the question has a negation, because models drop it. */
bool intent_translatable(struct pl_pool *pool, struct pl_str question);
/* The instructions for the model, and the JSON schema of its reply; they do not contain data. */
struct pl_str intent_prompt(struct pl_pool *pool);
struct pl_str intent_schema(struct pl_pool *pool);
/*
 * The reply as an intent, for intent_settle(). Returns NULL, or why it is refused: a field, value, name, number, or
 * period that is unknown or not the question's.
 */
const char *intent_take(struct pl_pool *pool, struct pl_str question, struct pl_str reply, struct intent_now now,
    struct intent *out) PL_MUSTCHECK;

/* Returns whether the step that begins at `start_s` (local time) is only partly inside the period. */
bool intent_is_partial(const struct intent_period *period, enum intent_dim step, int64_t start_s);
/* The question as it was understood: "Cost per model with model gpt-4o, last month (2026-10-01 to 2026-10-31)". */
const char *intent_understood(struct pl_pool *pool, const struct intent *in);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Questions about the data (SQL functions query_run, query_suggest; table query_history).
 */
#ifndef DB_REPO_QUERY_H
#define DB_REPO_QUERY_H

#include "db/db.h"

#define QUERY_KEYS 2
#define QUERY_EVERYBODY (-1)	/* scope: the rows of all */

/*
 * The time zone of a question: `asked` (absent: none), else that of the user's preferences, else `usual`, else UTC.
 * zone: for the other queries; shown: for texts; local_s: local time at at_us, as seconds since 1970.
 */
struct query_zone { bool asked_ok; struct pl_str zone, shown; int64_t local_s; };
typedef void (repo_query_zone_fn)(void *arg, const struct query_zone *zone, const struct pl_err *err);
void repo_query_zone(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str asked, struct pl_str usual,
    int64_t at_us, repo_query_zone_fn *done, void *arg);

/*
 * Converts local times of that zone (local_s, seconds since 1970) to UTC (us), and looks up which of the names exist
 * for this scope. kind: enum intent_kind of svc/usage/intent.h.
 */
#define QUERY_TIMES 4
struct query_known { struct pl_str asked, name; int kind; };
struct query_frame { int64_t us[QUERY_TIMES]; const struct query_known *rows; int count; };
typedef void (repo_query_frame_fn)(void *arg, const struct query_frame *frame, const struct pl_err *err);
void repo_query_frame(struct db *db, struct pl_task *task, struct pl_str zone, const int64_t local_s[QUERY_TIMES],
    int64_t scope, const struct pl_str *names, int count, repo_query_frame_fn *done, void *arg);

/*
 * metric, agg, unit, dims (at most QUERY_KEYS), limit, and order are words of svc/usage/intent.h.
 *   scope      rows of this user; 0: rows that everybody may see, without private rooms; QUERY_EVERYBODY: all rows
 *   users ...  filters; an empty list does not filter
 *   only       the values of dims[0] that become rows; the others count in shares
 *   top, each  number of rows (0: all), of all rows (each 0) or for each value of dims[each - 1]
 *   earlier_*  the period to compare with, or 0
 */
struct query_names { const struct pl_str *list; int count; };
struct query_ask {
	const char *metric, *agg, *unit, *limit, *order;
	struct pl_str zone, dims[QUERY_KEYS];
	int dim_count, top, each;
	int64_t from_us, to_us, earlier_from_us, earlier_to_us, scope;
	double bound;
	struct query_names users, rooms, models, roles, only;
};
/* earlier: the figure of the other period. NAN: there is no figure. */
struct query_row { struct pl_str key[QUERY_KEYS]; double value, earlier; };
/* more: there are more rows than the limit; total: of all rows, including those after top and limit. */
struct query_rows { const struct query_row *rows; int count; bool more; double total; };
typedef void (repo_query_fn)(void *arg, const struct query_rows *rows, const struct pl_err *err);
void repo_query_run(struct db *db, struct pl_task *task, const struct query_ask *ask, int limit, repo_query_fn *done,
    void *arg);

/*
 * Records that a model was asked to translate a question. Tokens and told (the cost reported by the upstream) are -1 if
 * unknown. Returns the cost, or -1. May be repeated with the same id.
 */
struct query_translation { struct pl_str id, upstream, model; int64_t user_id, prompt, completion, told;
	const char *state;		/* "done", "failed", "cancelled" */
};
typedef void (repo_query_cost_fn)(void *arg, const int64_t *cost_micros, const struct pl_err *err);
void repo_query_translated(struct db *db, struct pl_task *task, const struct query_translation *translation,
    repo_query_cost_fn *done, void *arg);

/* intent absent: it was not understood. */
struct query_past { struct pl_str id, query, intent; int rows; int64_t created_us, expires_us; };
struct query_past_list { const struct query_past *rows; int count; };
typedef void (repo_query_past_fn)(void *arg, const struct query_past_list *list, const struct pl_err *err);
void repo_query_note(struct db *db, struct pl_task *task, int64_t user_id, const struct query_past *past,
    db_done_fn *done, void *arg);
/* Newest first; those that were understood. */
void repo_query_history(struct db *db, struct pl_task *task, int64_t user_id, int limit, repo_query_past_fn *done,
    void *arg);

/* format: suggestions_format of the user's preferences. beginner: nothing to suggest (at most a row without text). */
struct query_suggestion { struct pl_str format, text, reason; };
struct query_suggestion_list { const struct query_suggestion *rows; int count; struct pl_str format; bool beginner; };
typedef void (repo_suggestion_fn)(void *arg, const struct query_suggestion_list *list, const struct pl_err *err);
void repo_query_suggest(struct db *db, struct pl_task *task, int64_t user_id, repo_suggestion_fn *done, void *arg);

#endif

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
 * Words of svc/usage/intent.h: metric, dims (at most QUERY_KEYS), order. scope: a user's own rows; 0: what everybody
 * may see, without private rooms. Absent texts filter nothing. top 0: all rows; each 0: top counts all rows, else those
 * of each value of dims[each - 1].
 */
struct query_ask {
	const char *metric, *order;
	struct pl_str dims[QUERY_KEYS];
	int dim_count, top, each;
	int64_t from_us, to_us, scope;
	struct pl_str user, room, model;
};
struct query_row { struct pl_str key[QUERY_KEYS]; double value; };
/* more: there were more than the limit; total: of all rows, those beyond top and limit too. */
struct query_rows { const struct query_row *rows; int count; bool more; double total; };
typedef void (repo_query_fn)(void *arg, const struct query_rows *rows, const struct pl_err *err);
void repo_query_run(struct db *db, struct pl_task *task, const struct query_ask *ask, int limit, repo_query_fn *done,
    void *arg);

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

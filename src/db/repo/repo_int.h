/* SPDX-License-Identifier: ISC */
/*
 * Shared by the repo_*.c files: words of text columns, statuses of SQL functions, common completions.
 */
#ifndef DB_REPO_INT_H
#define DB_REPO_INT_H

#include "db/db_int.h"
#include "db/conn/pgrow.h"
#include "db/repo/repo_message.h"
#include "db/repo/repo_login.h"
#include "db/repo/repo_user.h"

extern const char *const author_kind_words[];	/* enum author_kind */

/* Reads the first column of our SQL functions: true for ok and similar statuses, else *err is filled. */
bool repo_status_err(struct pl_str status, struct pl_err *err);
/* PL_E_NOT_FOUND with the default text. */
const struct pl_err *repo_not_found(struct pl_err *err);
/* Completion `db_done_fn` of a statement whose rows are ignored. */
void repo_on_done(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* Completion `db_count_fn` of a statement that returns one number. */
void repo_on_count(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* Completion `db_done_fn` of a statement that returns one boolean. */
void repo_on_bool(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* Completion `db_done_fn` of a function that returns one status. */
void repo_on_status(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* Completion `repo_ended_fn` of a function that returns a status, and the ids of the login sessions that it ended. */
void repo_on_ended(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* The next columns as a message (the order of view message_rows), or as a log row (view log_rows). */
void repo_read_message(struct pgrow *row, struct message *message);
void repo_read_event(struct pgrow *row, struct room_event *event);

struct confirmation;
/* First parameters of an act that the task's caller confirmed: CONFIRMATION of stmts.def. Calls pgquery_audited(). */
void repo_add_confirmation(struct pgquery *query, const struct confirmation *by);

/* The last column of a row; false: there is no such row. */
bool repo_last_column(const PGresult *res, int row, struct pgrow *row_r);
/* The next columns as an account (USER_COLUMNS of stmts.def). */
void repo_read_user(struct pgrow *row, struct user *user);

/*
 * For lists: the statement requests one row more than the limit. repo_rows() returns the number of rows in the page,
 * and whether there are more.
 */
void repo_keep_limit(struct pgquery *query, int limit);
int repo_rows(const struct pgquery *query, const PGresult *res, bool *more_r);
/* The same for PAGE_LONG of stmts.def: if the last column of the last row is true, this row did not fit in the page. */
int repo_rows_fit(const struct pgquery *query, const PGresult *res, bool *more_r);
/* The first row; false: there is none, and *bad is PL_E_NOT_FOUND. */
bool repo_first(struct pgquery *query, const PGresult *res, struct pgrow *row_r, struct pl_err *bad) PL_MUSTCHECK;
/* The last column of the first row, 0 if there is none: the number of rows without the limit, or their sum. */
int64_t repo_total_i64(const PGresult *res);
double repo_total_f64(const PGresult *res);

/*
 * Defines completion `name` of a statement, for QUERY(). What follows it is the body of the reader, which fills *out, a
 * `type` of zeros, from the rows; false: it failed, and *bad is the error. The caller gets either the result or the
 * error.
 */
#define REPLY(name, type)											\
	typedef void (name##_done)(void *arg, const type *result, const struct pl_err *err);			\
	static bool name##_read(struct pgquery *query, const PGresult *res, type *out, struct pl_err *bad);	\
	static void name(struct pgquery *query, const PGresult *res, const struct pl_err *err)			\
	{													\
		type out = { 0 };										\
		struct pl_err bad;										\
														\
		if (err == NULL && !name##_read(query, res, &out, &bad))					\
			err = &bad;										\
		if (query->done != NULL)									\
			((name##_done *)query->done)(query->arg, err == NULL ? &out : NULL, err);		\
	}													\
	static bool name##_read(struct pgquery *query, const PGresult *res, type *out, struct pl_err *bad)
typedef db_done_fn repo_on_done_done, repo_on_bool_done, repo_on_status_done;
typedef db_count_fn repo_on_count_done;
typedef repo_ended_fn repo_on_ended_done;

/* pgquery_new() for completion `name`, which `done` must fit: it takes the type of its REPLY(). */
#define QUERY(db, task, stmt, name, done, arg)									\
	pgquery_new(db, task, stmt, name, ((void)sizeof(struct { _Static_assert(				\
	    __builtin_types_compatible_p(__typeof__(done), name##_done *),					\
	    "done does not take what " #name " gives"); int unused; }), (pgquery_done_fn *)(done)), arg)

/* All rows into list->rows and list->count, each a `type` read by read_row(struct pgrow *, type *). */
#define READ_COUNT(query, res, list, type, read_row, how_many) do {						\
	const PGresult *res_ = (res);										\
	type *rows_;												\
														\
	(list)->count = (how_many);										\
	(list)->rows = rows_ = pl_alloc((query)->task->pool, ((size_t)(list)->count + 1) * sizeof(*rows_));	\
	for (int i_ = 0; i_ < (list)->count; i_++) {								\
		struct pgrow row_ = pgrow_at(res_, i_, (query)->task->pool);					\
														\
		read_row(&row_, &rows_[i_]);									\
	}													\
} while (0)
#define READ_ROWS(query, res, list, type, read_row) READ_COUNT(query, res, list, type, read_row, PQntuples(res))
/* The same up to the limit of repo_keep_limit(), and list->more. */
#define READ_PAGE(query, res, list, type, read_row)								\
	READ_COUNT(query, res, list, type, read_row, repo_rows(query, res, &(list)->more))

#endif

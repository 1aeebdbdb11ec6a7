/* SPDX-License-Identifier: ISC */
/*
 * What the repo_*.c files share: words of text columns, statuses of SQL functions, common completions.
 */
#ifndef DB_REPO_INT_H
#define DB_REPO_INT_H

#include "db/db_int.h"
#include "db/conn/pgrow.h"
#include "db/repo/repo_message.h"
#include "db/repo/repo_login.h"

extern const char *const author_kind_words[];	/* enum author_kind */
extern const char *const access_words[];	/* enum access */

/* The first column of our SQL functions: true for ok and its kin, else *err is filled. */
bool repo_status_err(struct pl_str status, struct pl_err *err);
/* PL_E_NOT_FOUND without more words. */
const struct pl_err *repo_not_found(struct pl_err *err);
/* Completion `db_done_fn` of a statement whose rows do not matter. */
void repo_on_done(struct pgcall *call, const PGresult *res, const struct pl_err *err);
/* Completion `db_count_fn` of a statement that gives one number. */
void repo_on_count(struct pgcall *call, const PGresult *res, const struct pl_err *err);
/* Completion `db_done_fn` of a function that gives one status. */
void repo_on_status(struct pgcall *call, const PGresult *res, const struct pl_err *err);
/* The next columns as a message (the order of view message_rows), or as a log row (view log_rows). */
void repo_read_message(struct pgrow *row, struct message *message);
void repo_read_event(struct pgrow *row, struct room_event *event);

/* For lists: the statement asks for one row more; the number of rows to give, and whether there are more. */
void repo_keep_limit(struct pgcall *call, int limit);
int repo_rows(const struct pgcall *call, const PGresult *res, bool *more_r);

#define DONE(type, call) ((type *)(call)->done)

#endif

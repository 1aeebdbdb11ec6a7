/* SPDX-License-Identifier: ISC */
/*
 * Jobs as operators and admins see and change them. repo_job.h is the side of the courier.
 */
#ifndef DB_REPO_ADMIN_JOB_H
#define DB_REPO_ADMIN_JOB_H

#include "db/db.h"

struct admin_job {
	struct pl_str id, kind, key, lane, state;
	int tries;
	struct pl_str to, request_id, session_id, last_error;	/* absent: none */
	int64_t due_us, created_us, started_us, finished_us, give_up_us;	/* 0: never */
};
struct admin_job_list { const struct admin_job *rows; int count; bool more; };
typedef void (repo_admin_job_fn)(void *arg, const struct admin_job *job, const struct pl_err *err);
typedef void (repo_admin_job_list_fn)(void *arg, const struct admin_job_list *list, const struct pl_err *err);

struct admin_job_ask {
	struct pl_str kind, state;	/* absent: any */
	struct pl_str before;		/* id of the last one seen; absent: from the newest */
	int limit;			/* 1..200 */
};
/* Newest first. */
void repo_admin_job_list(struct db *db, struct pl_task *task, const struct admin_job_ask *ask,
    repo_admin_job_list_fn *done, void *arg);
/* PL_E_NOT_FOUND. */
void repo_admin_job_get(struct db *db, struct pl_task *task, struct pl_str id, repo_admin_job_fn *done, void *arg);
/*
 * On behalf of the caller of the task. PL_E_NOT_FOUND; PL_E_CONFLICT: the state does not allow it; PL_E_FORBIDDEN: the
 * caller is no longer an operator or admin.
 */
void repo_admin_job_retry(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg);
void repo_admin_job_drop(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Administration of jobs: statements, parameters, row readers.
 */
#include "db/repo/repo_admin_job.h"

#include "db/repo/repo_int.h"

static void read_job(struct pgrow *row, struct admin_job *out)
{
	out->id = pgrow_text(row);
	out->kind = pgrow_text(row);
	out->key = pgrow_text(row);
	out->lane = pgrow_text(row);
	out->state = pgrow_text(row);
	out->tries = pgrow_i32(row);
	out->to = pgrow_text(row);
	out->request_id = pgrow_text(row);
	out->session_id = pgrow_text(row);
	out->last_error = pgrow_text(row);
	out->due_us = pgrow_time(row);
	out->created_us = pgrow_time(row);
	out->started_us = pgrow_time(row);
	out->finished_us = pgrow_time(row);
	out->give_up_us = pgrow_time(row);
}

REPLY(on_jobs, struct admin_job_list)
{
	READ_PAGE(query, res, out, struct admin_job, read_job);
	return true;
}

void repo_admin_job_list(struct db *db, struct pl_task *task, const struct admin_job_ask *ask,
    repo_admin_job_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_JOB_LIST, on_jobs, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_text(query, ask->kind);
	pgquery_text(query, ask->state);
	pgquery_text(query, ask->before);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

REPLY(on_job, struct admin_job)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_job(&row, out);
	return true;
}

void repo_admin_job_get(struct db *db, struct pl_task *task, struct pl_str id, repo_admin_job_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_JOB_GET, on_job, done, arg);

	pgquery_text(query, id);
	pgquery_start(query);
}

static void change(struct db *db, struct pl_task *task, struct pl_str id, const char *verb, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_JOB, repo_on_status, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, id);
	pgquery_cstr(query, verb);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_admin_job_retry(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg)
{
	change(db, task, id, "retry", done, arg);
}

void repo_admin_job_drop(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg)
{
	change(db, task, id, "drop", done, arg);
}

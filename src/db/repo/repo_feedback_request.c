/* SPDX-License-Identifier: ISC */
/*
 * Feedback requests: statements, parameters, row readers.
 */
#include "db/repo/repo_feedback.h"
#include "db/repo/repo_int.h"
#include "leaf.h"

static void read_request(struct pgrow *row, struct feedback_request *r)
{
	r->id = pgrow_text(row);
	r->number = pgrow_i64(row);
	r->asker = pgrow_text(row);
	r->channel = pgrow_text(row);
	r->destination = pgrow_text(row);
	r->question = pgrow_text(row);
	r->context = pgrow_text(row);
	r->options = pgrow_text(row);
	r->run_id = pgrow_text(row);
	r->state = pgrow_text(row);
	r->on_timeout = pgrow_text(row);
	r->status = pgrow_text(row);
	r->outcome = pgrow_text(row);
	r->answer = pgrow_text(row);
	r->comment = pgrow_text(row);
	r->answered_by = pgrow_text(row);
	r->answered_via = pgrow_text(row);
	r->delivery_error = pgrow_text(row);
	r->created_us = pgrow_time(row);
	r->due_us = pgrow_time(row);
	r->sent_us = pgrow_time(row);
	r->timed_out_us = pgrow_time(row);
	r->ended_us = pgrow_time(row);
}

static void add_id(struct pgquery *query, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgquery_text(query, id);
}

void repo_feedback_request_create(struct db *db, struct pl_task *task, int64_t user_id,
    const struct feedback_request *in, int64_t timeout_us, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_CREATE, repo_on_status, done, arg);

	add_id(query, in->id);
	pgquery_i64(query, user_id);
	pgquery_text(query, in->channel);
	pgquery_text(query, in->destination);
	pgquery_text(query, in->question);
	pgquery_text(query, in->context);
	pgquery_text(query, in->options);
	pgquery_i64(query, timeout_us);
	pgquery_text(query, in->on_timeout);
	pgquery_text(query, in->run_id);
	pgquery_text(query, in->state);
	pgquery_start(query);
}

REPLY(on_request, struct feedback_request)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_request(&row, out);
	out->asker_id = pgrow_i64(&row);
	out->asked_id = pgrow_i64(&row);
	return true;
}

void repo_feedback_request_get(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    repo_feedback_request_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_GET, on_request, done, arg);

	add_id(query, id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

REPLY(on_list, struct feedback_request_list)
{
	READ_PAGE(query, res, out, struct feedback_request, read_request);
	return true;
}

void repo_feedback_request_list(struct db *db, struct pl_task *task, int64_t user_id, bool asked, struct pl_str status,
    int64_t before, int limit, repo_feedback_request_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, asked ? S_FBR_LIST_ASKED : S_FBR_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, user_id);
	pgquery_text(query, status);
	pgquery_i64(query, before);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_feedback_request_of_run(struct db *db, struct pl_task *task, struct pl_str run_id, int64_t user_id, int limit,
    repo_feedback_request_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_OF_RUN, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_text(query, run_id);
	pgquery_i64(query, user_id);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_feedback_request_answer(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, bool decline,
    struct pl_str answer, struct pl_str comment, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_ANSWER, repo_on_status, done, arg);

	add_id(query, id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, decline);
	pgquery_text(query, answer);
	pgquery_text(query, comment);
	pgquery_start(query);
}

void repo_feedback_request_cancel(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_CANCEL, repo_on_status, done, arg);

	add_id(query, id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

static void read_due(struct pgrow *row, struct feedback_request *out)
{
	out->id = pgrow_text(row);
	out->asker_id = pgrow_i64(row);
	out->asked_id = pgrow_i64(row);
	out->asker = pgrow_text(row);
	out->question = pgrow_text(row);
	out->status = pgrow_text(row);
	out->outcome = pgrow_text(row);
	out->due_us = pgrow_time(row);
	out->run_id = pgrow_text(row);
}

REPLY(on_due, struct feedback_request_list)
{
	READ_ROWS(query, res, out, struct feedback_request, read_due);
	return true;
}

void repo_feedback_requests_due(struct db *db, struct pl_task *task, int limit, repo_feedback_request_list_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FBR_DUE, on_due, done, arg);

	pgquery_i32(query, limit);
	pgquery_start(query);
}

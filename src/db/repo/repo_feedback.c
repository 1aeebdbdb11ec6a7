/* SPDX-License-Identifier: ISC */
/*
 * Votes: statements, parameters, row readers.
 */
#include "db/repo/repo_feedback.h"

#include "db/repo/repo_int.h"

static void read_feedback(struct pgrow *row, struct feedback *f)
{
	f->fresh = pgrow_bool(row);
	f->id = pgrow_i64(row);
	f->target_kind = pgrow_text(row);
	f->target_id = pgrow_text(row);
	f->score = pgrow_f64_or(row, 0);
	f->comment = pgrow_text(row);
	f->created_us = pgrow_time(row);
	f->updated_us = pgrow_time(row);
}

REPLY(on_given, struct feedback)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	read_feedback(&row, out);
	return true;
}

void repo_feedback_give(struct db *db, struct pl_task *task, int64_t user_id, int access, const struct feedback *in,
    repo_feedback_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FEEDBACK_GIVE, on_given, done, arg);

	pgquery_i64(query, user_id);
	pgquery_cstr(query, access_words[access]);
	pgquery_text(query, in->target_kind);
	pgquery_text(query, in->target_id);
	pgquery_f64_or_null(query, in->score, false);
	pgquery_text(query, in->comment);
	pgquery_start(query);
}

REPLY(on_list, struct feedback_list)
{
	READ_PAGE(query, res, out, struct feedback, read_feedback);
	return true;
}

void repo_feedback_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t after, int limit,
    repo_feedback_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FEEDBACK_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, user_id);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_feedback_withdraw(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_FEEDBACK_WITHDRAW, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64(query, id);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Questions: statements, parameters, row readers.
 */
#include "db/repo/repo_query.h"

#include "db/repo/repo_int.h"

static void on_rows(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct query_rows list = { .count = 0 };

	if (err == NULL) {
		struct query_row *rows;

		list.count = repo_rows(call, res, &list.more);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			for (int k = 0; k < QUERY_KEYS; k++)
				rows[i].key[k] = pgrow_text(&row);
			rows[i].value = pgrow_f64_or(&row, 0);
			list.total = pgrow_f64_or(&row, 0);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_query_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_query_run(struct db *db, struct pl_task *task, const struct query_ask *ask, int limit, repo_query_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_QUERY_RUN, on_rows, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_cstr(call, ask->metric);
	pgcall_texts(call, ask->dims, ask->dim_count);
	pgcall_time(call, ask->from_us);
	pgcall_time(call, ask->to_us);
	pgcall_i64_or_null(call, ask->scope, 0);
	pgcall_text(call, ask->user);
	pgcall_text(call, ask->room);
	pgcall_text(call, ask->model);
	pgcall_cstr(call, ask->order);
	pgcall_i32_or_null(call, ask->top, 0);
	pgcall_i32(call, ask->each);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_query_note(struct db *db, struct pl_task *task, int64_t user_id, const struct query_past *past,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_QUERY_NOTE, repo_on_done, (pgcall_done_fn *)done, arg);

	pgcall_text(call, past->id);
	pgcall_i64(call, user_id);
	pgcall_text(call, past->query);
	pgcall_text(call, past->intent);
	pgcall_i32(call, past->rows);
	pgcall_time(call, past->expires_us);
	pgcall_start(call);
}

static void on_history(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct query_past_list list = { .count = 0 };

	if (err == NULL) {
		struct query_past *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].id = pgrow_text(&row);
			rows[i].query = pgrow_text(&row);
			rows[i].intent = pgrow_text(&row);
			rows[i].rows = pgrow_i32(&row);
			rows[i].created_us = pgrow_time(&row);
			rows[i].expires_us = pgrow_time(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_query_past_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_query_history(struct db *db, struct pl_task *task, int64_t user_id, int limit, repo_query_past_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_QUERY_HISTORY, on_history, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_suggestions(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct query_suggestion_list list = { .count = 0 };

	if (err == NULL) {
		struct query_suggestion *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].text = pgrow_text(&row);
			rows[i].reason = pgrow_text(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_suggestion_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_query_suggest(struct db *db, struct pl_task *task, int64_t user_id, repo_suggestion_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_QUERY_SUGGEST, on_suggestions, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_start(call);
}

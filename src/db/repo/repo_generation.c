/* SPDX-License-Identifier: ISC */
/*
 * Generations: statements, parameters, row readers.
 */
#include "db/repo/repo_generation.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static const char *const state_words[] = { "queued", "running", "done", "failed", "cancelled", "interrupted", NULL };

static void read_generation(struct pgrow *row, struct generation *gen)
{
	gen->id = pgrow_text(row);
	gen->room_id = pgrow_i64(row);
	gen->role_id = pgrow_i64(row);
	gen->asker_id = pgrow_i64(row);
	gen->reply_to = pgrow_i64(row);
	gen->state = pgrow_word(row, state_words, GEN_INTERRUPTED);
	gen->upstream = pgrow_text(row);
	gen->model = pgrow_text(row);
	gen->error_code = pgrow_text(row);
	gen->partial = pgrow_text(row);
	gen->prompt_tokens = pgrow_i64_or(row, -1);
	gen->completion_tokens = pgrow_i64_or(row, -1);
	gen->answer_seq = pgrow_i64(row);
	gen->created_us = pgrow_time(row);
	gen->started_us = pgrow_time(row);
	gen->first_text_us = pgrow_time(row);
	gen->ended_us = pgrow_time(row);
	gen->cost_micros = pgrow_i64_or(row, -1);
}

static void add_id(struct pgcall *call, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
}

static void on_begun(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct generation_begun begun = { .busy = false };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);
		struct pl_str status = pgrow_text(&row);

		begun.busy = pl_str_is(status, "busy");
		if (!begun.busy && !repo_status_err(status, &bad))
			err = &bad;
	}
	if (call->done != NULL)
		DONE(repo_generation_begin_fn, call)(call->arg, err == NULL ? &begun : NULL, err);
}

void repo_generation_begin(struct db *db, struct pl_task *task, const struct generation_new *in,
    repo_generation_begin_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_GEN_BEGIN, on_begun, (pgcall_done_fn *)done, arg);

	add_id(call, in->id);
	pgcall_i64(call, in->room_id);
	pgcall_i64(call, in->role_id);
	pgcall_i64(call, in->asker_id);
	pgcall_i64(call, in->reply_to);
	pgcall_text(call, in->upstream);
	pgcall_text(call, in->model);
	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i32(call, db->slot);
	pgcall_i64(call, db->slot_generation);
	pgcall_start(call);
}

static void on_ended(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct generation_ended ended = { .ended = false };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		ended.ended = pl_str_is(pgrow_text(&row), "ok");
		ended.room_id = pgrow_i64(&row);
		ended.role_id = pgrow_i64(&row);
		ended.follow_up_seq = pgrow_i64(&row);
		ended.follow_up_asker = pgrow_i64(&row);
		ended.state = pgrow_word(&row, state_words, GEN_INTERRUPTED);
		ended.answer_seq = pgrow_i64(&row);
	}
	if (call->done != NULL)
		DONE(repo_generation_end_fn, call)(call->arg, err == NULL ? &ended : NULL, err);
}

void repo_generation_end(struct db *db, struct pl_task *task, const struct generation_end *in,
    repo_generation_end_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_GEN_END, on_ended, (pgcall_done_fn *)done, arg);

	PL_BUG(in->state < GEN_DONE || in->state > GEN_INTERRUPTED);
	add_id(call, in->id);
	pgcall_cstr(call, state_words[in->state]);
	pgcall_text(call, in->error_code);
	pgcall_text(call, in->partial);
	pgcall_text(call, in->upstream);
	pgcall_text(call, in->model);
	pgcall_i64_or_null(call, in->prompt_tokens, -1);
	pgcall_i64_or_null(call, in->completion_tokens, -1);
	pgcall_i64_or_null(call, in->answer_seq, 0);
	pgcall_time(call, in->first_text_us);
	pgcall_i64_or_null(call, in->cost_micros, -1);
	pgcall_start(call);
}

/* One generation; S_GEN_STOPPABLE adds whether the caller may stop it. */
static void on_generation(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct generation gen = { .room_id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		read_generation(&row, &gen);
		if (call->stmt == &stmts[S_GEN_GET]) {
			gen.citations = pgrow_text(&row);
			gen.knowledge = pgrow_text(&row);
		}
		if (call->stmt == &stmts[S_GEN_STOPPABLE] && !pgrow_bool(&row)) {
			pl_err_set(&bad, PL_E_FORBIDDEN, NULL);
			err = &bad;
		}
	}
	if (call->done != NULL)
		DONE(repo_generation_fn, call)(call->arg, err == NULL ? &gen : NULL, err);
}

void repo_generation_get(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    repo_generation_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_GEN_GET, on_generation, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, user_id);
	pgcall_start(call);
}

void repo_generation_stoppable(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, bool admin,
    repo_generation_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_GEN_STOPPABLE, on_generation, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_start(call);
}

static void on_interrupted(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct generation_list list = { .count = 0 };

	if (err == NULL) {
		struct generation *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			read_generation(&row, &rows[i]);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_generation_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_generation_interrupt(struct db *db, struct pl_task *task, repo_generation_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_GEN_INTERRUPT, on_interrupted, (pgcall_done_fn *)done, arg);

	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i32(call, db->slot);
	pgcall_i64(call, db->slot_generation);
	pgcall_start(call);
}

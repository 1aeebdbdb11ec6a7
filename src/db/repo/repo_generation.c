/* SPDX-License-Identifier: ISC */
/*
 * Generations: statements, parameters, row readers.
 */
#include "db/repo/repo_generation.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

const char *const gen_state_words[] = { "queued", "running", "done", "failed", "cancelled", "interrupted", NULL };

static void read_generation(struct pgrow *row, struct generation *gen)
{
	gen->id = pgrow_text(row);
	gen->room_id = pgrow_i64(row);
	gen->role_id = pgrow_i64(row);
	gen->asker_id = pgrow_i64(row);
	gen->reply_to = pgrow_i64(row);
	gen->state = pgrow_word(row, gen_state_words, GEN_INTERRUPTED);
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
	gen->estimated = pgrow_bool(row);
	gen->error_detail = pgrow_text(row);
	gen->follow_up_seq = pgrow_i64(row);
	gen->follow_up_asker = pgrow_i64(row);
}

static void add_id(struct pgquery *query, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgquery_text(query, id);
}

REPLY(on_begun, struct generation_begun)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
	struct pl_str status = pgrow_text(&row);

	out->busy = pl_str_is(status, "busy");
	if (!out->busy && !repo_status_err(status, bad))
		return false;
	return true;
}

void repo_generation_begin(struct db *db, struct pl_task *task, const struct generation_new *in,
    repo_generation_begin_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_BEGIN, on_begun, done, arg);

	add_id(query, in->id);
	pgquery_i64(query, in->room_id);
	pgquery_i64(query, in->role_id);
	pgquery_i64(query, in->asker_id);
	pgquery_i64(query, in->reply_to);
	pgquery_text(query, in->upstream);
	pgquery_text(query, in->model);
	pgquery_cstr(query, db->host);
	pgquery_i64(query, db->boot);
	pgquery_i32(query, db->slot);
	pgquery_i64(query, db->slot_generation);
	pgquery_bool(query, in->again);
	pgquery_group(query, PGQUERY_GENERATION, in->room_id, in->role_id);
	pgquery_start(query);
}

REPLY(on_ended, struct generation_ended)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->ended = pl_str_is(pgrow_text(&row), "ok");
	out->room_id = pgrow_i64(&row);
	out->role_id = pgrow_i64(&row);
	out->follow_up_seq = pgrow_i64(&row);
	out->follow_up_asker = pgrow_i64(&row);
	out->state = pgrow_word(&row, gen_state_words, GEN_INTERRUPTED);
	out->answer_seq = pgrow_i64(&row);
	out->cost_micros = pgrow_i64_or(&row, -1);
	return true;
}

void repo_generation_end(struct db *db, struct pl_task *task, const struct generation_end *in,
    repo_generation_end_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_END, on_ended, done, arg);

	PL_BUG(in->state < GEN_DONE || in->state > GEN_INTERRUPTED);
	add_id(query, in->id);
	pgquery_cstr(query, gen_state_words[in->state]);
	pgquery_text(query, in->error_code);
	pgquery_text(query, in->partial);
	pgquery_text(query, in->upstream);
	pgquery_text(query, in->model);
	pgquery_i64_or_null(query, in->prompt_tokens, -1);
	pgquery_i64_or_null(query, in->completion_tokens, -1);
	pgquery_i64_or_null(query, in->answer_seq, 0);
	pgquery_time(query, in->first_text_us);
	pgquery_i64_or_null(query, in->cost_micros, -1);
	pgquery_bool(query, in->estimated);
	pgquery_text(query, in->error_detail);
	pgquery_group(query, PGQUERY_GENERATION, in->room_id, in->role_id);
	pgquery_start(query);
}

/* One generation. S_GEN_STOPPABLE adds whether the user may stop it. */
REPLY(on_generation, struct generation)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_generation(&row, out);
	if (query->stmt == &stmts[S_GEN_GET]) {
		out->citations = pgrow_text(&row);
		out->knowledge = pgrow_text(&row);
	}
	if (query->stmt == &stmts[S_GEN_STOPPABLE] && !pgrow_bool(&row)) {
		pl_err_set(bad, PL_E_FORBIDDEN, NULL);
		return false;
	}
	return true;
}

void repo_generation_get(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    repo_generation_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_GET, on_generation, done, arg);

	add_id(query, id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

void repo_generation_stoppable(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, bool admin,
    repo_generation_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_STOPPABLE, on_generation, done, arg);

	add_id(query, id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_start(query);
}

REPLY(on_interrupted, struct generation_list)
{
	READ_ROWS(query, res, out, struct generation, read_generation);
	return true;
}

void repo_generation_interrupt(struct db *db, struct pl_task *task, repo_generation_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_INTERRUPT, on_interrupted, done, arg);

	pgquery_cstr(query, db->host);
	pgquery_i64(query, db->boot);
	pgquery_i32(query, db->slot);
	pgquery_i64(query, db->slot_generation);
	pgquery_start(query);
}

void repo_generation_asked(
    struct db *db, struct pl_task *task, int64_t room_id, int64_t role_id, int64_t seq, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_ASKED, repo_on_bool, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, role_id);
	pgquery_i64(query, seq);
	pgquery_start(query);
}

void repo_generation_seen(
    struct db *db, struct pl_task *task, const struct pl_str *ids, int count, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_SEEN, repo_on_count, done, arg);

	pgquery_texts(query, ids, count);
	pgquery_start(query);
}

void repo_generation_abandoned(struct db *db, struct pl_task *task, int64_t well_us, int limit, db_count_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_GEN_ABANDONED, repo_on_count, done, arg);

	pgquery_cstr(query, db->host);
	pgquery_i64(query, well_us);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

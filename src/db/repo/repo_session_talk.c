/* SPDX-License-Identifier: ISC */
/*
 * What is said in sessions: statements, parameters, row readers.
 */
#include "db/repo/repo_session_talk.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static const char *const author_words[] = { "user", "assistant", NULL };
static const char *const outcome_words[] = { "done", "failed", "cancelled", "interrupted", NULL };

static void add_id(struct pgcall *call, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
}

static void on_said(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session_said said = { .seq = 0 };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);
		struct pl_str status = pgrow_text(&row);

		said.stale = pl_str_is(status, "stale");
		if (!said.stale && !repo_status_err(status, &bad))
			err = &bad;
		said.seq = pgrow_i64(&row);
		said.ahead = pgrow_i64(&row);
	}
	DONE(repo_session_said_fn, call)(call->arg, err == NULL ? &said : NULL, err);
}

void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_SAY, on_said, (pgcall_done_fn *)done, arg);

	add_id(call, in->id);
	add_id(call, in->token);
	pgcall_text(call, in->content);
	pgcall_i64(call, in->life_ms);
	pgcall_i64(call, in->form_seq);
	pgcall_text(call, in->form);
	pgcall_text(call, in->mails);
	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i32(call, db->slot);
	pgcall_i64(call, db->slot_generation);
	pgcall_start(call);
}

void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_AHEAD, repo_on_count, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, question);
	pgcall_start(call);
}

void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_SEEN, repo_on_count, (pgcall_done_fn *)done, arg);

	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i64s(call, slots, count, false);
	pgcall_i64s(call, generations, count, false);
	pgcall_start(call);
}

void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_INTERRUPT, repo_on_count, (pgcall_done_fn *)done, arg);

	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_page(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session_page page = { .count = 0 };
	bool upwards = call->stmt == &stmts[S_SESSION_AFTER];

	if (err == NULL) {
		struct session_entry *rows;

		page.count = repo_rows(call, res, &page.more);
		rows = pl_alloc(call->task->pool, ((size_t)page.count + 1) * sizeof(*rows));
		for (int i = 0; i < page.count; i++) {
			struct pgrow row = pgrow_at(res, upwards ? i : page.count - 1 - i, call->task->pool);

			rows[i].seq = pgrow_i64(&row);
			rows[i].author = pgrow_word(&row, author_words, SESSION_USER);
			rows[i].content = pgrow_text(&row);
			rows[i].state = pgrow_word(&row, outcome_words, SESSION_DONE);
			rows[i].reply_to = pgrow_i64(&row);
			rows[i].model = pgrow_text(&row);
			rows[i].citations = pgrow_text(&row);
			rows[i].created_us = pgrow_time(&row);
		}
		page.rows = rows;
	}
	DONE(repo_session_page_fn, call)(call->arg, err == NULL ? &page : NULL, err);
}

void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before,
    int limit, repo_session_page_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, after >= 0 ? S_SESSION_AFTER : S_SESSION_BEFORE, on_page,
	    (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, after);
	pgcall_i64(call, after >= 0 ? 0 : before);
	pgcall_i32(call, limit);
	repo_keep_limit(call, limit);
	pgcall_start(call);
}

static void on_history(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session_history history = { .count = 0 };

	if (err == NULL) {
		struct session_line *rows;

		history.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)history.count + 1) * sizeof(*rows));
		for (int i = 0; i < history.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].author = pgrow_word(&row, author_words, SESSION_USER);
			rows[i].content = pgrow_text(&row);
		}
		history.rows = rows;
	}
	DONE(repo_session_history_fn, call)(call->arg, err == NULL ? &history : NULL, err);
}

void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit,
    repo_session_history_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_HISTORY, on_history, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, seq);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_answered(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct pl_str session = PL_STR_NONE;
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		if (!repo_status_err(pgrow_text(&row), &bad))
			err = &bad;
		session = pgrow_text(&row);
	}
	DONE(repo_session_answered_fn, call)(call->arg, err == NULL ? &session : NULL, err);
}

void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in,
    repo_session_answered_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_ANSWER, on_answered, (pgcall_done_fn *)done, arg);

	add_id(call, in->id);
	pgcall_i64(call, in->question);
	pgcall_text(call, in->content);
	pgcall_cstr(call, outcome_words[in->state]);
	pgcall_text(call, in->model);
	pgcall_i64_or_null(call, in->prompt_tokens, -1);
	pgcall_i64_or_null(call, in->completion_tokens, -1);
	pgcall_text(call, in->citations);
	pgcall_text(call, in->upstream);
	pgcall_i64_or_null(call, in->cost_micros, -1);
	pgcall_start(call);
}

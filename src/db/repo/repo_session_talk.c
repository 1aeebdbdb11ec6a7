/* SPDX-License-Identifier: ISC */
/*
 * What is said in sessions: statements, parameters, row readers.
 */
#include "db/repo/repo_session_talk.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static const char *const author_words[] = { "user", "assistant", NULL };
const char *const session_outcome_words[] = { "done", "failed", "cancelled", "interrupted", NULL };

static void add_id(struct pgcall *call, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
}

/* Any order of sessions does, as long as every worker has the same. */
static void group_by_session(struct pgcall *call, struct pl_str id)
{
	uint64_t half[2] = { 0, 0 };
	int digits = 0;

	for (size_t i = 0; i < id.len; i++) {
		uint64_t *to = &half[digits / 16];
		char c = id.ptr[i];

		if (c == '-')
			continue;
		*to = *to << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		digits++;
	}
	pgcall_group(call, PGCALL_SESSION, (int64_t)half[0], (int64_t)half[1]);
}

REPLY(on_said, struct session_said)
{
	struct pgrow row = pgrow_at(res, 0, call->pool);
	struct pl_str status = pgrow_text(&row);

	out->stale = pl_str_is(status, "stale");
	if (!out->stale && !repo_status_err(status, bad))
		return false;
	out->seq = pgrow_i64(&row);
	out->ahead = pgrow_i64(&row);
	return true;
}

void repo_session_reserve(struct db *db, struct pl_task *task, struct pl_str id, int64_t guests_max, db_done_fn *done,
    void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_RESERVE, repo_on_status, done, arg);

	add_id(call, id);
	pgcall_i64(call, guests_max);
	pgcall_start(call);
}

void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_SAY, on_said, done, arg);

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
	pgcall_i64(call, in->guests_max);
	if (in->user && in->form.ptr == NULL)	/* guests lock their address, forms make jobs */
		group_by_session(call, in->id);
	pgcall_start(call);
}

void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done,
    void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_AHEAD, repo_on_count, done, arg);

	add_id(call, id);
	pgcall_i64(call, question);
	pgcall_start(call);
}

void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_SEEN, repo_on_count, done, arg);

	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i64s(call, slots, count, false);
	pgcall_i64s(call, generations, count, false);
	pgcall_start(call);
}

void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_INTERRUPT, repo_on_count, done, arg);

	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void read_entry(struct pgrow *row, struct session_entry *out)
{
	out->seq = pgrow_i64(row);
	out->author = pgrow_word(row, author_words, SESSION_USER);
	out->content = pgrow_text(row);
	out->state = pgrow_word(row, session_outcome_words, SESSION_DONE);
	out->reply_to = pgrow_i64(row);
	out->model = pgrow_text(row);
	out->citations = pgrow_text(row);
	out->created_us = pgrow_time(row);
	out->reasoning = pgrow_text(row);
}

REPLY(on_after, struct session_page)
{
	READ_PAGE(call, res, out, struct session_entry, read_entry);
	return true;
}

/* Newest first; turned round here. */
REPLY(on_before, struct session_page)
{
	struct session_entry *rows;

	out->count = repo_rows(call, res, &out->more);
	out->rows = rows = pl_alloc(call->task->pool, ((size_t)out->count + 1) * sizeof(*rows));
	for (int i = 0; i < out->count; i++) {
		struct pgrow row = pgrow_at(res, out->count - 1 - i, call->task->pool);

		read_entry(&row, &rows[i]);
	}
	return true;
}

void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before,
    int limit, repo_session_page_fn *done, void *arg)
{
	struct pgcall *call = after >= 0 ? CALL(db, task, S_SESSION_AFTER, on_after, done, arg) :
	    CALL(db, task, S_SESSION_BEFORE, on_before, done, arg);

	add_id(call, id);
	pgcall_i64(call, after);
	pgcall_i64(call, after >= 0 ? 0 : before);
	pgcall_i32(call, limit);
	repo_keep_limit(call, limit);
	pgcall_start(call);
}

static void read_line(struct pgrow *row, struct session_line *out)
{
	out->author = pgrow_word(row, author_words, SESSION_USER);
	out->content = pgrow_text(row);
}

REPLY(on_history, struct session_history)
{
	READ_ROWS(call, res, out, struct session_line, read_line);
	return true;
}

void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit, int most,
    repo_session_history_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_HISTORY, on_history, done, arg);

	add_id(call, id);
	pgcall_i64(call, seq);
	pgcall_i32(call, limit);
	pgcall_i32(call, most);
	pgcall_start(call);
}

REPLY(on_answered, struct session_answered)
{
	struct pgrow row = pgrow_at(res, 0, call->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->session = pgrow_text(&row);
	out->cost_micros = pgrow_i64_or(&row, -1);
	return true;
}

void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in,
    repo_session_answered_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_SESSION_ANSWER, on_answered, done, arg);

	add_id(call, in->id);
	pgcall_i64(call, in->question);
	pgcall_text(call, in->content);
	pgcall_cstr(call, session_outcome_words[in->state]);
	pgcall_text(call, in->model);
	pgcall_i64_or_null(call, in->prompt_tokens, -1);
	pgcall_i64_or_null(call, in->completion_tokens, -1);
	pgcall_text(call, in->citations);
	pgcall_text(call, in->upstream);
	pgcall_i64_or_null(call, in->cost_micros, -1);
	pgcall_bool(call, in->estimated);
	pgcall_text(call, in->reasoning);
	if (in->question > 0)	/* else only the database knows which session that is */
		group_by_session(call, in->id);
	pgcall_start(call);
}

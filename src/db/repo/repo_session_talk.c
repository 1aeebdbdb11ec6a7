/* SPDX-License-Identifier: ISC */
/* Messages of chat sessions: statements, parameters, row readers. */
#include "db/repo/repo_session_talk.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static const char *const author_words[] = { "user", "assistant", NULL };
const char *const session_outcome_words[] = { "done", "failed", "cancelled", "interrupted", NULL };

static void add_id(struct pgquery *query, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgquery_text(query, id);
}

/* The order of sessions is arbitrary, but every worker has the same. */
static void group_by_session(struct pgquery *query, struct pl_str id)
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
	pgquery_group(query, PGQUERY_SESSION, (int64_t)half[0], (int64_t)half[1]);
}

REPLY(on_said, struct session_said)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
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
	struct pgquery *query = QUERY(db, task, S_SESSION_RESERVE, repo_on_status, done, arg);

	add_id(query, id);
	pgquery_i64(query, guests_max);
	pgquery_start(query);
}

void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_SAY, on_said, done, arg);

	add_id(query, in->id);
	add_id(query, in->token);
	pgquery_text(query, in->content);
	pgquery_i64(query, in->life_ms);
	pgquery_i64(query, in->form_seq);
	pgquery_text(query, in->form);
	pgquery_text(query, in->mails);
	pgquery_cstr(query, db->host);
	pgquery_i64(query, db->boot);
	pgquery_i32(query, db->slot);
	pgquery_i64(query, db->slot_generation);
	pgquery_i64(query, in->guests_max);
	if (in->user && in->form.ptr == NULL)	/* guests lock their address, and forms create jobs */
		group_by_session(query, in->id);
	pgquery_start(query);
}

void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_AHEAD, repo_on_count, done, arg);

	add_id(query, id);
	pgquery_i64(query, question);
	pgquery_start(query);
}

void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_SEEN, repo_on_count, done, arg);

	pgquery_cstr(query, db->host);
	pgquery_i64(query, db->boot);
	pgquery_i64s(query, slots, count, false);
	pgquery_i64s(query, generations, count, false);
	pgquery_start(query);
}

void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_INTERRUPT, repo_on_count, done, arg);

	pgquery_i32(query, limit);
	pgquery_start(query);
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
	READ_COUNT(query, res, out, struct session_entry, read_entry, repo_rows_fit(query, res, &out->more));
	return true;
}

/* Newest first; reversed here. */
REPLY(on_before, struct session_page)
{
	struct session_entry *rows;

	out->count = repo_rows_fit(query, res, &out->more);
	out->rows = rows = pl_alloc(query->task->pool, ((size_t)out->count + 1) * sizeof(*rows));
	for (int i = 0; i < out->count; i++) {
		struct pgrow row = pgrow_at(res, out->count - 1 - i, query->task->pool);

		read_entry(&row, &rows[i]);
	}
	return true;
}

void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before,
    int limit, int bytes, repo_session_page_fn *done, void *arg)
{
	struct pgquery *query = after >= 0 ? QUERY(db, task, S_SESSION_AFTER, on_after, done, arg) :
	    QUERY(db, task, S_SESSION_BEFORE, on_before, done, arg);

	add_id(query, id);
	pgquery_i64(query, after);
	pgquery_i64(query, after >= 0 ? 0 : before);
	pgquery_i32(query, limit);
	pgquery_i32(query, bytes);
	repo_keep_limit(query, limit);
	pgquery_start(query);
}

static void read_line(struct pgrow *row, struct session_line *out)
{
	out->author = pgrow_word(row, author_words, SESSION_USER);
	out->content = pgrow_text(row);
	out->whole = pgrow_bool(row);
}

REPLY(on_history, struct session_history)
{
	READ_ROWS(query, res, out, struct session_line, read_line);
	return true;
}

void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit, int most,
    repo_session_history_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_HISTORY, on_history, done, arg);

	add_id(query, id);
	pgquery_i64(query, seq);
	pgquery_i32(query, limit);
	pgquery_i32(query, most);
	pgquery_start(query);
}

REPLY(on_answered, struct session_answered)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->session = pgrow_text(&row);
	out->cost_micros = pgrow_i64_or(&row, -1);
	return true;
}

void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in,
    repo_session_answered_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_ANSWER, on_answered, done, arg);

	add_id(query, in->id);
	pgquery_i64(query, in->question);
	pgquery_text(query, in->content);
	pgquery_cstr(query, session_outcome_words[in->state]);
	pgquery_text(query, in->model);
	pgquery_i64_or_null(query, in->prompt_tokens, -1);
	pgquery_i64_or_null(query, in->completion_tokens, -1);
	pgquery_text(query, in->citations);
	pgquery_text(query, in->upstream);
	pgquery_i64_or_null(query, in->cost_micros, -1);
	pgquery_bool(query, in->estimated);
	pgquery_text(query, in->reasoning);
	if (in->question > 0)	/* otherwise only the database can find the session */
		group_by_session(query, in->id);
	pgquery_start(query);
}

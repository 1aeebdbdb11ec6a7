/* SPDX-License-Identifier: ISC */
/*
 * Sessions: statements, parameters, row readers.
 */
#include "db/repo_session.h"

#include "db/repo_int.h"
#include "leaf.h"

static const char *const kind_words[] = { "chat", "guided", "usage", NULL };
static const char *const state_words[] = { "open", "ended", "expired", NULL };
static const char *const author_words[] = { "user", "assistant", NULL };
static const char *const outcome_words[] = { "done", "failed", "cancelled", "interrupted", NULL };

static void read_slots(struct pgrow *row, struct session *s)
{
	int names_count, values_count, tries_count, collected_count;
	const struct pl_str *names = pgrow_texts(row, &names_count), *values = pgrow_texts(row, &values_count);
	const int64_t *tries = pgrow_i64s(row, &tries_count), *collected = pgrow_i64s(row, &collected_count);

	PL_BUG(names_count != values_count || names_count != tries_count || names_count != collected_count);
	s->slots_count = names_count;
	s->slots = pl_alloc(row->pool, ((size_t)names_count + 1) * sizeof(*s->slots));
	for (int i = 0; i < names_count; i++)
		s->slots[i] = (struct session_slot){ .name = names[i], .value = values[i], .tries = (int)tries[i],
			.collected = collected[i] != 0 };
}

static void read_session(struct pgrow *row, struct session *s)
{
	s->id = pgrow_text(row);
	s->kind = pgrow_word(row, kind_words, SESSION_CHAT);
	s->user_id = pgrow_i64(row);
	s->guest = pgrow_bool(row);
	s->external_id = pgrow_text(row);
	s->developer = pgrow_text(row);
	s->form = pgrow_text(row);
	s->requested = pgrow_text(row);
	s->is_complete = pgrow_bool(row);
	s->state = pgrow_word(row, state_words, SESSION_OPEN);
	s->model = pgrow_text(row);
	s->total_tokens = pgrow_i64(row);
	s->cost_micros = pgrow_i64(row);
	s->accepted = pgrow_null(row) ? -1 : 0;
	s->accepted += pgrow_bool(row);
	s->last_seq = pgrow_i64(row);
	s->started_us = pgrow_time(row);
	s->last_us = pgrow_time(row);
	s->ended_us = pgrow_time(row);
	s->expires_us = pgrow_time(row);
	read_slots(row, s);
	s->form_seq = pgrow_i64(row);
	s->form_over = pgrow_text(row);
	s->answer = pgrow_text(row);
	s->lead_mail = pgrow_text(row);
}

static void add_id(struct pgcall *call, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
}

static void on_created(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session s = { .user_id = 0 };
	struct pl_err bad = { 0 };

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);
		struct pl_str status = pgrow_text(&row);
		int64_t retry_s = pgrow_i64(&row);

		if (repo_status_err(status, &bad)) {
			read_session(&row, &s);
		} else {
			bad.retry_after_s = (int)retry_s;
			err = &bad;
		}
	}
	DONE(repo_session_fn, call)(call->arg, err == NULL ? &s : NULL, err);
}

void repo_session_create(struct db *db, struct pl_task *task, const struct session_new *in, repo_session_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_CREATE, on_created, (pgcall_done_fn *)done, arg);

	add_id(call, in->id);
	pgcall_i64(call, in->user_id);
	pgcall_text(call, in->address);
	pgcall_cstr(call, kind_words[in->kind]);
	pgcall_text(call, in->form);
	pgcall_text(call, in->requested);
	pgcall_i64(call, in->max_open);
	pgcall_i64(call, in->life_ms);
	pgcall_start(call);
}

static void on_session(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session s = { .user_id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		read_session(&row, &s);
	}
	DONE(repo_session_fn, call)(call->arg, err == NULL ? &s : NULL, err);
}

void repo_session_get(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    repo_session_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_GET, on_session, (pgcall_done_fn *)done, arg);

	pgcall_text(call, key);
	pgcall_i64(call, who.user_id);
	pgcall_bool(call, who.guests);
	pgcall_start(call);
}

static void on_owned(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	bool owned = false;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		owned = pgrow_bool(&row);
	}
	DONE(db_done_fn, call)(call->arg, err == NULL ? &owned : NULL, err);
}

void repo_session_owned(struct db *db, struct pl_task *task, struct pl_str key, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_OWNED, on_owned, (pgcall_done_fn *)done, arg);

	pgcall_text(call, pl_uuid_ok(key) ? key : PL_STR_NONE);
	pgcall_start(call);
}

static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct session_list list = { .count = 0 };

	if (err == NULL) {
		struct session *rows;

		list.count = repo_rows(call, res, &list.more);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			read_session(&row, &rows[i]);
			list.total = pgrow_i64(&row);
		}
		list.rows = rows;
	}
	DONE(repo_session_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_session_list(struct db *db, struct pl_task *task, const struct session_filter *filter, repo_session_list_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_LIST, on_list, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, filter->user_id);
	pgcall_bool(call, filter->everybody);
	pgcall_text(call, filter->developer);
	pgcall_text(call, filter->model);
	pgcall_time(call, filter->start_us);
	pgcall_time(call, filter->end_us);
	pgcall_text(call, filter->sort.ptr != NULL ? filter->sort : PL_STR("timestamp"));
	pgcall_bool(call, filter->descending);
	pgcall_i64(call, filter->offset);
	pgcall_i32(call, filter->limit);
	repo_keep_limit(call, filter->limit);
	pgcall_start(call);
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

static void on_count(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	int64_t count = 0;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		count = pgrow_i64(&row);
	}
	DONE(db_count_fn, call)(call->arg, err == NULL ? &count : NULL, err);
}

void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_AHEAD, on_count, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_i64(call, question);
	pgcall_start(call);
}

void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_SEEN, on_count, (pgcall_done_fn *)done, arg);

	pgcall_cstr(call, db->host);
	pgcall_i64(call, db->boot);
	pgcall_i64s(call, slots, count, false);
	pgcall_i64s(call, generations, count, false);
	pgcall_start(call);
}

void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_INTERRUPT, on_count, (pgcall_done_fn *)done, arg);

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

void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before, int limit,
    repo_session_page_fn *done, void *arg)
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

void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_ANSWER, repo_on_status, (pgcall_done_fn *)done, arg);

	add_id(call, in->id);
	pgcall_i64(call, in->question);
	pgcall_text(call, in->content);
	pgcall_cstr(call, outcome_words[in->state]);
	pgcall_text(call, in->model);
	pgcall_i64_or_null(call, in->prompt_tokens, -1);
	pgcall_i64_or_null(call, in->completion_tokens, -1);
	pgcall_text(call, in->citations);
	pgcall_start(call);
}

void repo_session_end(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who, db_done_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_END, repo_on_status, (pgcall_done_fn *)done, arg);

	pgcall_text(call, key);
	pgcall_i64(call, who.user_id);
	pgcall_bool(call, who.guests);
	pgcall_start(call);
}

void repo_session_discard(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSION_DISCARD, repo_on_status, (pgcall_done_fn *)done, arg);

	add_id(call, id);
	pgcall_start(call);
}

void repo_sessions_expire(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_SESSIONS_EXPIRE, on_count, (pgcall_done_fn *)done, arg);

	pgcall_i32(call, limit);
	pgcall_start(call);
}

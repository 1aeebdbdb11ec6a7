/* SPDX-License-Identifier: ISC */
/*
 * Sessions: statements, parameters, row readers.
 */
#include "db/repo/repo_session.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

const char *const session_kind_words[] = { "chat", "guided", "usage", NULL };
const char *const session_state_words[] = { "open", "ended", "expired", NULL };

static void read_slots(struct pgrow *row, struct session *s)
{
	int names_count, values_count, sealed_count, tries_count, collected_count;
	const struct pl_str *names = pgrow_texts(row, &names_count), *values = pgrow_texts(row, &values_count);
	const struct pl_str *sealed = pgrow_texts(row, &sealed_count);
	const int64_t *tries = pgrow_i64s(row, &tries_count), *collected = pgrow_i64s(row, &collected_count);

	PL_BUG(names_count != values_count || names_count != sealed_count || names_count != tries_count ||
	    names_count != collected_count);
	s->slots_count = names_count;
	s->slots = pl_alloc(row->pool, ((size_t)names_count + 1) * sizeof(*s->slots));
	for (int i = 0; i < names_count; i++)
		s->slots[i] = (struct session_slot){ .name = names[i], .value = values[i], .sealed = sealed[i],
			.tries = (int)tries[i], .collected = collected[i] != 0 };
}

static void read_session(struct pgrow *row, struct session *s)
{
	s->id = pgrow_text(row);
	s->kind = pgrow_word(row, session_kind_words, SESSION_CHAT);
	s->user_id = pgrow_i64(row);
	s->guest = pgrow_bool(row);
	s->external_id = pgrow_text(row);
	s->developer = pgrow_text(row);
	s->form = pgrow_text(row);
	s->requested = pgrow_text(row);
	s->is_complete = pgrow_bool(row);
	s->state = pgrow_word(row, session_state_words, SESSION_OPEN);
	s->model = pgrow_text(row);
	s->total_tokens = pgrow_i64(row);
	s->prompt_tokens = pgrow_i64(row);
	s->completion_tokens = pgrow_i64(row);
	s->cost_micros = pgrow_i64(row);
	s->accepted = pgrow_null(row) ? -1 : 0;
	s->accepted += pgrow_bool(row);
	usage_extra_read(row, &s->extra);
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
	s->form_pending = pgrow_text(row);
}

static void add_id(struct pgquery *query, struct pl_str id)
{
	PL_BUG(!pl_uuid_ok(id));
	pgquery_text(query, id);
}

REPLY(on_created, struct session)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);
	struct pl_str status = pgrow_text(&row);
	int64_t retry_s = pgrow_i64(&row);

	if (repo_status_err(status, bad)) {
		read_session(&row, out);
	} else {
		bad->retry_after_s = (int)retry_s;
		return false;
	}
	return true;
}

void repo_session_create(struct db *db, struct pl_task *task, const struct session_new *in, repo_session_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_CREATE, on_created, done, arg);

	add_id(query, in->id);
	pgquery_i64(query, in->user_id);
	pgquery_text(query, in->address);
	pgquery_cstr(query, session_kind_words[in->kind]);
	pgquery_text(query, in->form);
	pgquery_text(query, in->requested);
	pgquery_i64(query, in->max_open);
	pgquery_i64(query, in->life_ms);
	pgquery_start(query);
}

REPLY(on_session, struct session)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_session(&row, out);
	return true;
}

void repo_session_get(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    repo_session_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_GET, on_session, done, arg);

	pgquery_text(query, key);
	pgquery_i64(query, who.user_id);
	pgquery_bool(query, who.guests);
	pgquery_bool(query, who.open);
	pgquery_start(query);
}

void repo_session_owned(struct db *db, struct pl_task *task, struct pl_str key, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_OWNED, repo_on_bool, done, arg);

	pgquery_text(query, pl_uuid_ok(key) ? key : PL_STR_NONE);
	pgquery_start(query);
}

REPLY(on_list, struct session_list)
{
	READ_PAGE(query, res, out, struct session, read_session);
	out->total = repo_total_i64(res);
	return true;
}

void repo_session_list(struct db *db, struct pl_task *task, const struct session_filter *filter,
    repo_session_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_LIST, on_list, done, arg);

	pgquery_i64(query, filter->user_id);
	pgquery_i32(query, (int)filter->scope);
	pgquery_text(query, filter->developer);
	pgquery_text(query, filter->model);
	pgquery_time(query, filter->start_us);
	pgquery_time(query, filter->end_us);
	pgquery_text(query, filter->sort.ptr != NULL ? filter->sort : PL_STR("timestamp"));
	pgquery_bool(query, filter->descending);
	pgquery_i64(query, filter->offset);
	pgquery_i32(query, filter->limit);
	repo_keep_limit(query, filter->limit);
	pgquery_start(query);
}

void repo_session_end(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_END, repo_on_status, done, arg);

	pgquery_text(query, key);
	pgquery_i64(query, who.user_id);
	pgquery_bool(query, who.guests);
	pgquery_start(query);
}

void repo_session_enter(struct db *db, struct pl_task *task, struct pl_str id, struct pl_str socket, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_ENTER, repo_on_status, done, arg);

	add_id(query, id);
	add_id(query, socket);
	pgquery_start(query);
}

void repo_session_leave(struct db *db, struct pl_task *task, struct pl_str id, struct pl_str socket, bool made,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSION_LEAVE, repo_on_status, done, arg);

	add_id(query, id);
	add_id(query, socket);
	pgquery_bool(query, made);
	pgquery_start(query);
}

void repo_sessions_expire(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_SESSIONS_EXPIRE, repo_on_count, done, arg);

	pgquery_i32(query, limit);
	pgquery_start(query);
}

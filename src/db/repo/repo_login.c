/* SPDX-License-Identifier: ISC */
/*
 * Login sessions: statements, parameters, row readers. repo_user.c ends them, together with the changes that require
 * it.
 */
#include "db/repo/repo_login.h"

#include "db/repo/repo_int.h"

static void read_login(struct pgrow *row, struct login *login)
{
	login->id = pgrow_i64(row);
	login->user_id = pgrow_i64(row);
	login->refresh_counter = pgrow_i64(row);
	login->user_agent = pgrow_text(row);
	login->address = pgrow_text(row);
	login->end_reason = pgrow_text(row);
	login->created_us = pgrow_time(row);
	login->last_used_us = pgrow_time(row);
	login->expires_us = pgrow_time(row);
	login->ended_us = pgrow_time(row);
}

REPLY(on_login, struct login)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_login(&row, out);
	return true;
}

void repo_login_create(struct db *db, struct pl_task *task, int64_t user_id, int64_t life_us, struct pl_str user_agent,
    struct pl_str address, struct pl_str hash, int access, repo_login_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_CREATE, on_login, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64(query, life_us);
	pgquery_text(query, user_agent);
	pgquery_text(query, address);
	pgquery_text(query, hash);
	pgquery_cstr(query, access_words[access]);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_login_failed(struct db *db, struct pl_task *task, const struct login_failed *in, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_FAILED, repo_on_bool, done, arg);

	pgquery_i64(query, in->user_id);
	pgquery_cstr(query, task->who.addr);
	pgquery_i64(query, in->attempts);
	pgquery_i64(query, in->lock_ms);
	pgquery_bool(query, in->mail);
	pgquery_cstr(query, in->server);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_refresh, struct refresh)
{
	static const char *const words[] = { "rotated", "current", "reused", "gone", NULL };
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->login_id = *(int64_t *)query->extra;
	out->status = (enum refresh_status)pgrow_word(&row, words, REFRESH_GONE);
	out->user_id = pgrow_i64(&row);
	out->counter = pgrow_i64(&row);
	out->expires_us = pgrow_time(&row);
	out->access = pgrow_word(&row, access_words, ACCESS_USER);
	out->username = pgrow_text(&row);
	return true;
}

void repo_login_refresh(struct db *db, struct pl_task *task, int64_t login_id, int64_t counter, int64_t reuse_ms,
    bool rotate, repo_refresh_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_REFRESH, on_refresh, done, arg);
	int64_t *kept = pl_alloc(query->pool, sizeof(*kept));

	*kept = login_id;
	query->extra = kept;
	pgquery_i64(query, login_id);
	pgquery_i64(query, counter);
	pgquery_i64(query, reuse_ms);
	pgquery_bool(query, rotate);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_logins, struct login_list)
{
	READ_PAGE(query, res, out, struct login, read_login);
	return true;
}

static void read_ended(struct pgrow *row, struct ended_login *login)
{
	login->id = pgrow_i64(row);
	login->ended_us = pgrow_time(row);
	login->changed_us = pgrow_time(row);
}

REPLY(on_ended_logins, struct ended_login_list)
{
	READ_ROWS(query, res, out, struct ended_login, read_ended);
	return true;
}

void repo_login_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, int limit,
    repo_login_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_LIST, on_logins, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, user_id);
	pgquery_i64(query, before);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_login_ended_since(struct db *db, struct pl_task *task, int64_t since_us, repo_ended_login_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_ENDED, on_ended_logins, done, arg);

	pgquery_time(query, since_us > 0 ? since_us : 1);
	pgquery_start(query);
}

void repo_login_listen(struct db *db, void (*fn)(void *arg), void *arg)
{
	db_listen(db, "parlour_logins", fn, arg);
}

REPLY(on_check, bool)
{
	*out = PQntuples(res) > 0;
	if (!*out)
		pl_err_set(bad, PL_E_REVOKED, NULL);
	return *out;
}

void repo_login_check(struct db *db, struct pl_task *task, int64_t login_id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOGIN_CHECK, on_check, done, arg);

	pgquery_i64(query, login_id);
	pgquery_start(query);
}

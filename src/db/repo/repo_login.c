/* SPDX-License-Identifier: ISC */
/*
 * Login sessions: statements, parameters, row readers. (Ending them is in repo_user.c, beside what ends them too.)
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

	if (!repo_first(call, res, &row, bad))
		return false;
	read_login(&row, out);
	return true;
}

void repo_login_create(struct db *db, struct pl_task *task, int64_t user_id, int64_t life_us, struct pl_str user_agent,
    struct pl_str address, struct pl_str hash, repo_login_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_LOGIN_CREATE, on_login, done, arg);

	pgcall_i64(call, user_id);
	pgcall_i64(call, life_us);
	pgcall_text(call, user_agent);
	pgcall_text(call, address);
	pgcall_text(call, hash);
	pgcall_start(call);
}

REPLY(on_refresh, struct refresh)
{
	static const char *const words[] = { "rotated", "current", "reused", "gone", NULL };
	struct pgrow row = pgrow_at(res, 0, call->task->pool);

	out->login_id = *(int64_t *)call->extra;
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
	struct pgcall *call = CALL(db, task, S_LOGIN_REFRESH, on_refresh, done, arg);
	int64_t *kept = pl_alloc(call->pool, sizeof(*kept));

	*kept = login_id;
	call->extra = kept;
	pgcall_i64(call, login_id);
	pgcall_i64(call, counter);
	pgcall_i64(call, reuse_ms);
	pgcall_bool(call, rotate);
	pgcall_start(call);
}

REPLY(on_logins, struct login_list)
{
	READ_PAGE(call, res, out, struct login, read_login);
	return true;
}

REPLY(on_ended_logins, struct login_list)
{
	READ_ROWS(call, res, out, struct login, read_login);
	return true;
}

void repo_login_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, int limit,
    repo_login_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_LOGIN_LIST, on_logins, done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, user_id);
	pgcall_i64(call, before);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_login_ended_since(struct db *db, struct pl_task *task, int64_t since_us, repo_login_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_LOGIN_ENDED, on_ended_logins, done, arg);

	pgcall_time(call, since_us > 0 ? since_us : 1);
	pgcall_start(call);
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
	struct pgcall *call = CALL(db, task, S_LOGIN_CHECK, on_check, done, arg);

	pgcall_i64(call, login_id);
	pgcall_start(call);
}

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

static void on_login(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct login login = { .id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		read_login(&row, &login);
	}
	if (call->done != NULL)
		DONE(repo_login_fn, call)(call->arg, err == NULL ? &login : NULL, err);
}

void repo_login_create(struct db *db, struct pl_task *task, int64_t user_id, int64_t life_us, struct pl_str user_agent,
    struct pl_str address, repo_login_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_CREATE, on_login, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_i64(call, life_us);
	pgcall_text(call, user_agent);
	pgcall_text(call, address);
	pgcall_start(call);
}

static void on_refresh(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	static const char *const words[] = { "rotated", "current", "reused", "gone", NULL };
	struct refresh refresh = { .login_id = 0 };

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		refresh.login_id = *(int64_t *)call->extra;
		refresh.status = (enum refresh_status)pgrow_word(&row, words, REFRESH_GONE);
		refresh.user_id = pgrow_i64(&row);
		refresh.counter = pgrow_i64(&row);
		refresh.expires_us = pgrow_time(&row);
		refresh.access = pgrow_word(&row, access_words, ACCESS_USER);
		refresh.username = pgrow_text(&row);
	}
	if (call->done != NULL)
		DONE(repo_refresh_fn, call)(call->arg, err == NULL ? &refresh : NULL, err);
}

void repo_login_refresh(struct db *db, struct pl_task *task, int64_t login_id, int64_t counter, int64_t reuse_ms,
    bool rotate, repo_refresh_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_REFRESH, on_refresh, (pgcall_done_fn *)done, arg);
	int64_t *kept = pl_alloc(call->pool, sizeof(*kept));

	*kept = login_id;
	call->extra = kept;
	pgcall_i64(call, login_id);
	pgcall_i64(call, counter);
	pgcall_i64(call, reuse_ms);
	pgcall_bool(call, rotate);
	pgcall_start(call);
}

void repo_login_seen(
    struct db *db, struct pl_task *task, int64_t login_id, int64_t counter, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_SEEN, repo_on_done, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, login_id);
	pgcall_i64(call, counter);
	pgcall_start(call);
}

static void give_logins(struct pgcall *call, const PGresult *res, struct login_list list, const struct pl_err *err)
{
	if (err == NULL) {
		struct login *logins;

		logins = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*logins));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			read_login(&row, &logins[i]);
		}
		list.rows = logins;
	}
	if (call->done != NULL)
		DONE(repo_login_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

static void on_logins(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct login_list list = { .count = 0 };

	if (err == NULL)
		list.count = repo_rows(call, res, &list.more);
	give_logins(call, res, list, err);
}

static void on_ended_logins(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	give_logins(call, res, (struct login_list){ .count = err == NULL ? PQntuples(res) : 0 }, err);
}

void repo_login_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, int limit,
    repo_login_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_LIST, on_logins, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, user_id);
	pgcall_i64(call, before);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_login_ended_since(struct db *db, struct pl_task *task, int64_t since_us, repo_login_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_ENDED, on_ended_logins, (pgcall_done_fn *)done, arg);

	pgcall_time(call, since_us > 0 ? since_us : 1);
	pgcall_start(call);
}

static void on_check(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0) {
		pl_err_set(&bad, PL_E_REVOKED, NULL);
		err = &bad;
	}
	repo_on_done(call, res, err);
}

void repo_login_check(struct db *db, struct pl_task *task, int64_t login_id, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOGIN_CHECK, on_check, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, login_id);
	pgcall_start(call);
}

/* SPDX-License-Identifier: ISC */
/*
 * Accounts: statements, parameters, row readers.
 */
#include "db/repo/repo_int.h"

static void read_user(struct pgrow *row, struct user *user)
{
	user->id = pgrow_i64(row);
	user->username = pgrow_text(row);
	user->email = pgrow_text(row);
	user->name = pgrow_text(row);
	user->access = pgrow_word(row, access_words, ACCESS_USER);
	user->disabled = pgrow_bool(row);
	user->created_us = pgrow_time(row);
	user->updated_us = pgrow_time(row);
}

/* First column a status, then a user. */
static void on_created(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct user user = { .id = 0 };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		if (repo_status_err(pgrow_text(&row), &bad))
			read_user(&row, &user);
		else
			err = &bad;
	}
	if (call->done != NULL)
		DONE(repo_user_fn, call)(call->arg, err == NULL ? &user : NULL, err);
}

void repo_user_create(struct db *db, struct pl_task *task, const struct user_new *in, repo_user_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_CREATE, on_created, (pgcall_done_fn *)done, arg);

	pgcall_text(call, in->username);
	pgcall_text(call, in->email);
	pgcall_text(call, in->name);
	pgcall_text(call, in->password_hash);
	pgcall_cstr(call, access_words[in->access]);
	pgcall_start(call);
}

static void on_user(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct user user = { .id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		read_user(&row, &user);
		if (call->stmt == &stmts[S_USER_BY_LOGIN])
			user.password_hash = pgrow_text(&row);
	}
	if (call->done != NULL)
		DONE(repo_user_fn, call)(call->arg, err == NULL ? &user : NULL, err);
}

void repo_user_by_login(struct db *db, struct pl_task *task, struct pl_str login, repo_user_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_BY_LOGIN, on_user, (pgcall_done_fn *)done, arg);

	pgcall_text(call, login);
	pgcall_start(call);
}

void repo_user_get(struct db *db, struct pl_task *task, int64_t user_id, repo_user_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_GET, on_user, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_start(call);
}

void repo_user_patch(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str email, struct pl_str name,
    repo_user_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_PATCH, on_created, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, email);
	pgcall_text(call, name);
	pgcall_start(call);
}

/* Status and the ids of the login sessions that were ended. */
static void on_ended(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct ended_list ended = { .count = 0 };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		if (repo_status_err(pgrow_text(&row), &bad))
			ended.login_ids = pgrow_i64s(&row, &ended.count);
		else
			err = &bad;
	}
	if (call->done != NULL)
		DONE(repo_ended_fn, call)(call->arg, err == NULL ? &ended : NULL, err);
}

void repo_user_password(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str password_hash,
    int64_t keep_login_id, repo_ended_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_PASSWORD, on_ended, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, password_hash);
	pgcall_i64(call, keep_login_id);
	pgcall_start(call);
}

void repo_user_rehash(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str old_hash,
    struct pl_str new_hash, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_REHASH, repo_on_done, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, old_hash);
	pgcall_text(call, new_hash);
	pgcall_start(call);
}

void repo_user_admin(struct db *db, struct pl_task *task, int64_t user_id, int access, int disabled,
    repo_ended_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_ADMIN, on_ended, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_cstr(call, access >= 0 ? access_words[access] : NULL);
	pgcall_bool_or_null(call, disabled);
	pgcall_start(call);
}

void repo_login_end(struct db *db, struct pl_task *task, int64_t user_id, int64_t login_id, enum logout_scope scope,
    const char *reason, repo_ended_fn *done, void *arg)
{
	static const char *const scopes[] = { "this", "others", "all" };
	struct pgcall *call = pgcall_new(db, task, S_LOGINS_END, on_ended, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_i64(call, login_id);
	pgcall_cstr(call, scopes[scope]);
	pgcall_cstr(call, reason);
	pgcall_start(call);
}

/* One row more than asked for says that there are more. */
static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct user_list list = { .count = 0 };

	if (err == NULL) {
		struct user *users;

		list.count = repo_rows(call, res, &list.more);
		users = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*users));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			read_user(&row, &users[i]);
			list.total = pgrow_i64(&row);
		}
		list.rows = users;
	}
	if (call->done != NULL)
		DONE(repo_user_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_user_list(struct db *db, struct pl_task *task, struct pl_str match, int64_t after, int limit,
    repo_user_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USER_LIST, on_list, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_text(call, match);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

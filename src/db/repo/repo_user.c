/* SPDX-License-Identifier: ISC */
/*
 * Accounts: statements, parameters, row readers.
 */
#include "db/repo/author.h"
#include "db/repo/repo_int.h"
#include "db/repo/repo_invite_int.h"
#include "db/repo/repo_room_int.h"

void repo_read_user(struct pgrow *row, struct user *user)
{
	user->id = pgrow_i64(row);
	user->username = pgrow_text(row);
	user->email = pgrow_text(row);
	user->name = pgrow_text(row);
	user->access = pgrow_word(row, access_words, ACCESS_USER);
	user->disabled = pgrow_bool(row);
	user->created_us = pgrow_time(row);
	user->updated_us = pgrow_time(row);
	user->second_factor = pgrow_bool(row);
	user->email_verified = pgrow_bool(row);
}

/* A status, a user, and what changed in the room of the invite. */
REPLY(on_created, struct user_created)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);
	struct room_result result = { 0 };

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	repo_read_user(&row, &out->user);
	if (pgrow_i64(&row) > 0) {
		pgrow_skip(&row, 1);
		repo_read_room_result(&row, &result);
		out->joined = result.change;
	}
	return true;
}

/* A status, then a user. */
REPLY(on_patched, struct user)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	repo_read_user(&row, out);
	author_learn(query, out->id, out->username, out->name);
	return true;
}

void repo_user_create(struct db *db, struct pl_task *task, const struct user_new *in, repo_user_created_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_CREATE, on_created, done, arg);

	pgquery_text(query, in->username);
	pgquery_text(query, in->email);
	pgquery_text(query, in->name);
	pgquery_text(query, in->password_hash);
	pgquery_cstr(query, access_words[in->access]);
	repo_invite_rule(query, in->invite);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_user, struct user)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	repo_read_user(&row, out);
	author_learn(query, out->id, out->username, out->name);
	if (query->stmt == &stmts[S_USER_BY_LOGIN]) {
		out->password_hash = pgrow_text(&row);
		out->locked = pgrow_bool(&row);
	}
	return true;
}

void repo_user_by_login(struct db *db, struct pl_task *task, struct pl_str login, repo_user_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_BY_LOGIN, on_user, done, arg);

	pgquery_text(query, login);
	pgquery_cstr(query, task->who.addr);
	pgquery_start(query);
}

void repo_user_get(struct db *db, struct pl_task *task, int64_t user_id, repo_user_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_GET, on_user, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}

void repo_user_patch(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str email, struct pl_str name,
    repo_user_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_PATCH, on_patched, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, email);
	pgquery_text(query, name);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_own_password(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str password_hash,
    repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OWN_PASSWORD, repo_on_ended, done, arg);

	repo_add_confirmation(query, by);
	pgquery_text(query, password_hash);
	pgquery_start(query);
}

void repo_reset_ask(struct db *db, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_RESET_ASK, repo_on_done, done, arg);

	pgquery_text(query, login);
	pgquery_cstr(query, task->who.addr);
	pgquery_cstr(query, task->request_id);
	pgquery_start(query);
}

REPLY(on_reset_user, bool)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	*out = pgrow_i64_or(&row, 0) != 0;
	if (!*out)
		pl_err_set(bad, PL_E_NOT_FOUND, NULL);
	return *out;
}

void repo_reset_check(struct db *db, struct pl_task *task, const struct reset_token *token, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_RESET_USER, on_reset_user, done, arg);

	pgquery_bytes(query, token->sha256, sizeof(token->sha256));
	pgquery_start(query);
}

REPLY(on_reset, struct reset)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->ended.login_ids = pgrow_i64s(&row, &out->ended.count);
	out->user_id = pgrow_i64(&row);
	return true;
}

void repo_reset(struct db *db, struct pl_task *task, const struct reset_token *token, struct pl_str password_hash,
    repo_reset_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_RESET, on_reset, done, arg);

	pgquery_bytes(query, token->sha256, sizeof(token->sha256));
	pgquery_text(query, password_hash);
	pgquery_cstr(query, task->who.addr);
	pgquery_cstr(query, task->request_id);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_user_rehash(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str old_hash,
    struct pl_str new_hash, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_REHASH, repo_on_done, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, old_hash);
	pgquery_text(query, new_hash);
	pgquery_start(query);
}

void repo_user_admin(struct db *db, struct pl_task *task, int64_t user_id, int access, int disabled,
    repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_ADMIN, repo_on_ended, done, arg);

	pgquery_i64(query, user_id);
	pgquery_cstr(query, access >= 0 ? access_words[access] : NULL);
	pgquery_bool_or_null(query, disabled);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_login_end(struct db *db, struct pl_task *task, int64_t user_id, int64_t login_id, enum logout_scope scope,
    const char *reason, repo_ended_fn *done, void *arg)
{
	static const char *const scopes[] = { "this", "others", "all" };
	struct pgquery *query = QUERY(db, task, S_LOGINS_END, repo_on_ended, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64(query, login_id);
	pgquery_cstr(query, scopes[scope]);
	pgquery_cstr(query, reason);
	pgquery_audited(query);
	pgquery_start(query);
}

/* One row more than requested means that there are more. */
REPLY(on_list, struct user_list)
{
	READ_PAGE(query, res, out, struct user, repo_read_user);
	out->total = repo_total_i64(res);
	return true;
}

void repo_user_list(struct db *db, struct pl_task *task, struct pl_str match, int64_t after, int limit,
    repo_user_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_text(query, match);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

static void read_name(struct pgrow *row, struct user_name *out)
{
	out->id = pgrow_i64(row);
	out->name = pgrow_text(row);
}

REPLY(on_user_names, struct user_name_list)
{
	READ_ROWS(query, res, out, struct user_name, read_name);
	return true;
}

void repo_user_want_name(struct db *db, int64_t user_id)
{
	author_want(db, user_id);
}

void repo_user_names(struct db *db, struct pl_task *task, const int64_t *ids, int count, repo_user_names_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_NAMES, on_user_names, done, arg);

	pgquery_i64s(query, ids, count, false);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Administration of accounts: statements, parameters, row readers.
 */
#include "db/repo/repo_admin_user.h"

#include "db/repo/repo_int.h"

static void read_admin_user(struct pgrow *row, struct admin_user *out)
{
	repo_read_user(row, &out->user);
	out->logins = pgrow_i64(row);
	out->last_used_us = pgrow_time(row);
}

REPLY(on_users, struct admin_user_list)
{
	READ_PAGE(query, res, out, struct admin_user, read_admin_user);
	return true;
}

void repo_admin_user_list(struct db *db, struct pl_task *task, const struct admin_user_ask *ask,
    repo_admin_user_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_USER_LIST, on_users, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_text(query, ask->match);
	pgquery_text(query, ask->access);
	pgquery_bool_or_null(query, ask->disabled);
	pgquery_i64(query, ask->after);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

REPLY(on_user, struct admin_user)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_admin_user(&row, out);
	return true;
}

void repo_admin_user_get(struct db *db, struct pl_task *task, int64_t id, struct pl_str name, repo_admin_user_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_USER_GET, on_user, done, arg);

	pgquery_i64(query, id);
	pgquery_text(query, name);
	pgquery_start(query);
}

/* What the actor does to an account, without other parameters. */
static void start_act(struct pgquery *query, int64_t actor_id, int64_t id)
{
	pgquery_i64(query, actor_id);
	pgquery_i64(query, id);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_admin_user_change(struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, struct pl_str access,
    int disabled, repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_USER, repo_on_ended, done, arg);

	pgquery_i64(query, actor_id);
	pgquery_i64(query, id);
	pgquery_text(query, access);
	pgquery_bool_or_null(query, disabled);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_admin_user_logout(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, repo_ended_fn *done, void *arg)
{
	start_act(QUERY(db, task, S_ADMIN_LOGOUT, repo_on_ended, done, arg), actor_id, id);
}

void repo_admin_user_delete(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, bool erase, repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_DELETE, repo_on_ended, done, arg);

	pgquery_i64(query, actor_id);
	pgquery_i64(query, id);
	pgquery_bool(query, erase);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_created, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	*out = pgrow_i64(&row);
	return true;
}

void repo_admin_user_create(struct db *db, struct pl_task *task, int64_t actor_id, const struct user_new *in,
    db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_USER_CREATE, on_created, done, arg);

	pgquery_i64(query, actor_id);
	pgquery_text(query, in->username);
	pgquery_text(query, in->email);
	pgquery_text(query, in->name);
	pgquery_text(query, in->password_hash);
	pgquery_cstr(query, access_words[in->access]);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_admin_user_reset(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_RESET, repo_on_status, done, arg);

	pgquery_i64(query, actor_id);
	pgquery_i64(query, id);
	pgquery_cstr(query, task->who.addr);
	pgquery_cstr(query, task->request_id);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_admin_user_unlock(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, db_done_fn *done, void *arg)
{
	start_act(QUERY(db, task, S_ADMIN_UNLOCK, repo_on_status, done, arg), actor_id, id);
}

void repo_admin_user_mfa_off(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, repo_ended_fn *done, void *arg)
{
	start_act(QUERY(db, task, S_ADMIN_MFA_OFF, repo_on_ended, done, arg), actor_id, id);
}

/* SPDX-License-Identifier: ISC */
/*
 * Login sessions of all accounts: statements, parameters, row readers.
 */
#include "db/repo/repo_admin_login.h"

#include "db/repo/repo_int.h"

static void read_login(struct pgrow *row, struct admin_login *out)
{
	out->id = pgrow_i64(row);
	out->user_id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->kind = pgrow_text(row);
	out->name = pgrow_text(row);
	out->user_agent = pgrow_text(row);
	out->address = pgrow_text(row);
	out->end_reason = pgrow_text(row);
	out->created_us = pgrow_time(row);
	out->last_used_us = pgrow_time(row);
	out->expires_us = pgrow_time(row);
	out->ended_us = pgrow_time(row);
}

REPLY(on_logins, struct admin_login_list)
{
	READ_PAGE(query, res, out, struct admin_login, read_login);
	return true;
}

void repo_admin_login_list(struct db *db, struct pl_task *task, const struct admin_login_ask *ask,
    repo_admin_login_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_LOGIN_LIST, on_logins, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_text(query, ask->user);
	pgquery_text(query, ask->state);
	pgquery_text(query, ask->address);
	pgquery_i64(query, ask->before);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

void repo_admin_login_end(struct db *db, struct pl_task *task, int64_t id, repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_LOGIN_END, repo_on_ended, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, id);
	pgquery_audited(query);
	pgquery_start(query);
}

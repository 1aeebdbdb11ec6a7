/* SPDX-License-Identifier: ISC */
/*
 * Limits for operators and admins: statements, parameters, row readers.
 */
#include "db/repo/repo_admin_limit.h"

#include "db/repo/repo_int.h"

static void read_limit(struct pgrow *row, struct admin_limit *out)
{
	out->lockout = pl_str_is(pgrow_text(row), "lockout");
	out->klass = pgrow_text(row);
	out->user_id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->key_id = pgrow_i64(row);
	out->key_rate = pgrow_text(row);
	out->address = pgrow_text(row);
	out->refused = pgrow_i64(row);
	out->until_us = pgrow_time(row);
}

REPLY(on_limits, struct admin_limit_list)
{
	READ_ROWS(query, res, out, struct admin_limit, read_limit);
	return true;
}

void repo_admin_limits(struct db *db, struct pl_task *task, struct pl_str user, struct pl_str address, int limit,
    repo_admin_limits_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_LIMITS, on_limits, done, arg);

	pgquery_text(query, user);
	pgquery_text(query, address);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

REPLY(on_reset, struct admin_limits_reset)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->user_id = pgrow_i64(&row);
	out->lockouts = pgrow_i64(&row);
	out->keys = pgrow_i64s(&row, &out->keys_count);
	return true;
}

void repo_admin_limits_reset(struct db *db, struct pl_task *task, struct pl_str user, struct pl_str address,
    repo_admin_limits_reset_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ADMIN_LIMITS_RESET, on_reset, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, user);
	pgquery_text(query, address);
	pgquery_audited(query);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/* Roles: statements, parameters, row readers. */
#include "db/repo/repo_role.h"

#include "db/repo/repo_int.h"

static void read_role(struct pgrow *row, struct role *role)
{
	role->id = pgrow_i64(row);
	role->owner_id = pgrow_i64(row);
	role->name = pgrow_text(row);
	role->instructions = pgrow_text(row);
	role->upstream = pgrow_text(row);
	role->model = pgrow_text(row);
	role->temperature = pgrow_f64_or(row, -1);
	role->max_tokens = pgrow_i32(row);
	role->created_us = pgrow_time(row);
	role->updated_us = pgrow_time(row);
	role->display = pgrow_text(row);
	role->avatar = pgrow_text(row);
	role->description = pgrow_text(row);
}

/* A role, after a status if a function created it. */
REPLY(on_role, struct role)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	if (query->stmt != &stmts[S_ROLE_GET] && !repo_status_err(pgrow_text(&row), bad))
		return false;
	read_role(&row, out);
	return true;
}

void repo_role_create(struct db *db, struct pl_task *task, const struct role *in, int64_t max_per_owner,
    repo_role_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_CREATE, on_role, done, arg);

	pgquery_i64_or_null(query, in->owner_id, 0);
	pgquery_text(query, in->display);
	pgquery_text(query, in->instructions.ptr != NULL ? in->instructions : PL_STR(""));
	pgquery_text(query, in->upstream.len > 0 ? in->upstream : PL_STR_NONE);
	pgquery_text(query, in->model.len > 0 ? in->model : PL_STR_NONE);
	pgquery_f64_or_null(query, in->temperature, in->temperature < 0);
	pgquery_i32_or_null(query, in->max_tokens, 0);
	pgquery_i64(query, max_per_owner);
	pgquery_text(query, in->avatar);
	pgquery_text(query, in->description);
	pgquery_start(query);
}

void repo_role_patch(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    const struct role_patch *patch, repo_role_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_PATCH, on_role, done, arg);

	pgquery_i64(query, role_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_text(query, patch->display);
	pgquery_text(query, patch->instructions);
	pgquery_text(query, patch->upstream);
	pgquery_text(query, patch->model);
	pgquery_bool(query, patch->set_temperature);
	pgquery_f64_or_null(query, patch->temperature, patch->temperature < 0);
	pgquery_bool(query, patch->set_max_tokens);
	pgquery_i32_or_null(query, patch->max_tokens, 0);
	pgquery_text(query, patch->avatar);
	pgquery_text(query, patch->description);
	pgquery_start(query);
}

void repo_role_delete(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_DELETE, repo_on_status, done, arg);

	pgquery_i64(query, role_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_role_get(struct db *db, struct pl_task *task, int64_t role_id, repo_role_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_GET, on_role, done, arg);

	pgquery_i64(query, role_id);
	pgquery_start(query);
}

REPLY(on_list, struct role_list)
{
	READ_PAGE(query, res, out, struct role, read_role);
	return true;
}

void repo_role_list(struct db *db, struct pl_task *task, int64_t owner_id, int64_t after, int limit,
    repo_role_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, owner_id);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

static void read_turn(struct pgrow *row, struct role *role)
{
	read_role(row, role);
	role->place = (enum role_place)pgrow_i32(row);
}

REPLY(on_turn, struct role_list)
{
	READ_ROWS(query, res, out, struct role, read_turn);
	return true;
}

void repo_role_turn(struct db *db, struct pl_task *task, int64_t room_id, int64_t asker_id, int64_t role_id,
    repo_role_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROLE_TURN, on_turn, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, asker_id);
	pgquery_i64(query, role_id);
	pgquery_start(query);
}

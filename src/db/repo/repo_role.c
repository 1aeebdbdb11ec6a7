/* SPDX-License-Identifier: ISC */
/*
 * AI characters: statements, parameters, row readers.
 */
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

/* A role, behind a status when a function made it. */
REPLY(on_role, struct role)
{
	struct pgrow row;

	if (!repo_first(call, res, &row, bad))
		return false;
	if (call->stmt != &stmts[S_ROLE_GET] && !repo_status_err(pgrow_text(&row), bad))
		return false;
	read_role(&row, out);
	return true;
}

void repo_role_create(struct db *db, struct pl_task *task, const struct role *in, int64_t max_per_owner,
    repo_role_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_CREATE, on_role, done, arg);

	pgcall_i64_or_null(call, in->owner_id, 0);
	pgcall_text(call, in->display);
	pgcall_text(call, in->instructions.ptr != NULL ? in->instructions : PL_STR(""));
	pgcall_text(call, in->upstream.len > 0 ? in->upstream : PL_STR_NONE);
	pgcall_text(call, in->model.len > 0 ? in->model : PL_STR_NONE);
	pgcall_f64_or_null(call, in->temperature, in->temperature < 0);
	pgcall_i32_or_null(call, in->max_tokens, 0);
	pgcall_i64(call, max_per_owner);
	pgcall_text(call, in->avatar);
	pgcall_text(call, in->description);
	pgcall_start(call);
}

void repo_role_patch(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    const struct role_patch *patch, repo_role_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_PATCH, on_role, done, arg);

	pgcall_i64(call, role_id);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_text(call, patch->display);
	pgcall_text(call, patch->instructions);
	pgcall_text(call, patch->upstream);
	pgcall_text(call, patch->model);
	pgcall_bool(call, patch->set_temperature);
	pgcall_f64_or_null(call, patch->temperature, patch->temperature < 0);
	pgcall_bool(call, patch->set_max_tokens);
	pgcall_i32_or_null(call, patch->max_tokens, 0);
	pgcall_text(call, patch->avatar);
	pgcall_text(call, patch->description);
	pgcall_start(call);
}

void repo_role_delete(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_DELETE, repo_on_status, done, arg);

	pgcall_i64(call, role_id);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_start(call);
}

void repo_role_get(struct db *db, struct pl_task *task, int64_t role_id, repo_role_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_GET, on_role, done, arg);

	pgcall_i64(call, role_id);
	pgcall_start(call);
}

REPLY(on_list, struct role_list)
{
	READ_PAGE(call, res, out, struct role, read_role);
	return true;
}

void repo_role_list(struct db *db, struct pl_task *task, int64_t owner_id, int64_t after, int limit,
    repo_role_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_LIST, on_list, done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, owner_id);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void read_turn(struct pgrow *row, struct role *role)
{
	read_role(row, role);
	role->place = (enum role_place)pgrow_i32(row);
}

REPLY(on_turn, struct role_list)
{
	READ_ROWS(call, res, out, struct role, read_turn);
	return true;
}

void repo_role_turn(struct db *db, struct pl_task *task, int64_t room_id, int64_t asker_id, int64_t role_id,
    repo_role_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_ROLE_TURN, on_turn, done, arg);

	pgcall_i64(call, room_id);
	pgcall_i64(call, asker_id);
	pgcall_i64(call, role_id);
	pgcall_start(call);
}

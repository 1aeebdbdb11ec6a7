/* SPDX-License-Identifier: ISC */
/*
 * Rooms: reads.
 */
#include "db/repo/repo_int.h"
#include "db/repo/repo_room_int.h"

static void on_room(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct room room = { .id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		repo_read_room(&row, &room);
	}
	if (call->done != NULL)
		DONE(repo_room_fn, call)(call->arg, err == NULL ? &room : NULL, err);
}

void repo_room_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_ROOM_GET, on_room, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, room_id);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_start(call);
}

static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct room_list list = { .count = 0 };

	if (err == NULL) {
		struct room *rooms;

		list.count = repo_rows(call, res, &list.more);
		rooms = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*rooms));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			repo_read_room(&row, &rooms[i]);
			list.total = pgrow_i64(&row);
		}
		list.rows = rooms;
	}
	if (call->done != NULL)
		DONE(repo_room_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_room_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t after, int limit,
    repo_room_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_ROOM_LIST, on_list, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, user_id);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

/* No row: no such room, or hidden. A row of NULLs: a room without (more) members. */
static void on_members(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct member_list list = { .count = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		int rows = repo_rows(call, res, &list.more);
		struct member *members = pl_alloc(call->task->pool, (size_t)rows * sizeof(*members));

		for (int i = 0; i < rows; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);
			struct member *member = &members[list.count];

			if (pgrow_null(&row))
				continue;
			member->user_id = pgrow_i64(&row);
			member->username = pgrow_text(&row);
			member->level = pgrow_word(&row, level_words, LEVEL_NONE);
			member->joined_us = pgrow_time(&row);
			list.count++;
		}
		list.rows = members;
	}
	if (call->done != NULL)
		DONE(repo_member_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_member_list(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin, int64_t after,
    int limit, repo_member_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_MEMBER_LIST, on_members, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, room_id);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_head(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct room_head head = { .can_read = false };

	if (err == NULL) {
		head.room_id = *(int64_t *)call->extra;
		if (PQntuples(res) > 0) {
			struct pgrow row = pgrow_at(res, 0, call->task->pool);

			head.room_id = pgrow_i64(&row);
			head.last_seq = pgrow_i64(&row);
			head.epoch = pgrow_i64(&row);
			head.can_read = pgrow_bool(&row);
			head.is_member = pgrow_bool(&row);
			head.archived = pgrow_bool(&row);
		}
	}
	if (call->done != NULL)
		DONE(repo_room_head_fn, call)(call->arg, err == NULL ? &head : NULL, err);
}

void repo_room_head(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_head_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_ROOM_HEAD, on_head, (pgcall_done_fn *)done, arg);
	int64_t *kept = pl_alloc(call->pool, sizeof(*kept));

	*kept = room_id;
	call->extra = kept;
	pgcall_i64(call, room_id);
	pgcall_i64(call, user_id);
	pgcall_start(call);
}

static void on_heads(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct room_head_list list = { .count = 0 };

	if (err == NULL) {
		struct room_head *heads;

		list.count = PQntuples(res);
		heads = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*heads));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			heads[i].room_id = pgrow_i64(&row);
			heads[i].last_seq = pgrow_i64(&row);
			heads[i].epoch = pgrow_i64(&row);
			heads[i].can_read = true;
		}
		list.rows = heads;
	}
	if (call->done != NULL)
		DONE(repo_room_head_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_room_heads(struct db *db, struct pl_task *task, const int64_t *room_ids, int count,
    repo_room_head_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_ROOM_HEADS, on_heads, (pgcall_done_fn *)done, arg);

	pgcall_i64s(call, room_ids, count, false);
	pgcall_start(call);
}

/* SPDX-License-Identifier: ISC */
/*
 * Rooms: reads.
 */
#include "db/repo/repo_int.h"
#include "db/repo/repo_room_int.h"

REPLY(on_room, struct room)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	repo_read_room(&row, out);
	return true;
}

void repo_room_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_GET, on_room, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_start(query);
}

static void read_listed(struct pgrow *row, struct room *room)
{
	repo_read_room(row, room);
	room->has_marks = !pgrow_null(row);
	room->last_read = pgrow_i64(row);
	room->unread = pgrow_i64_or(row, -1);
	room->mentions = pgrow_i64_or(row, -1);
	room->favorite = pgrow_bool(row);
	room->muted = pgrow_bool(row);
	room->muted_until_us = pgrow_time(row);
	room->muted_mentions = pgrow_bool(row);
}

REPLY(on_list, struct room_list)
{
	READ_PAGE(query, res, out, struct room, read_listed);
	out->total = repo_total_i64(res);
	return true;
}

void repo_room_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t after, int limit,
    repo_room_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, user_id);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

/* No row: the room does not exist or is hidden. A row of NULLs: it has no (more) members. */
REPLY(on_members, struct member_list)
{
	int rows = repo_rows(query, res, &out->more);
	struct pgrow first;
	struct member *members = pl_alloc(query->task->pool, ((size_t)rows + 1) * sizeof(*members));

	if (!repo_first(query, res, &first, bad))
		return false;
	for (int i = 0; i < rows; i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);
		struct member *member = &members[out->count];

		if (pgrow_null(&row))
			continue;
		member->user_id = pgrow_i64(&row);
		member->username = pgrow_text(&row);
		member->name = pgrow_text(&row);
		member->level = pgrow_word(&row, level_words, LEVEL_NONE);
		member->joined_us = pgrow_time(&row);
		out->count++;
	}
	out->rows = members;
	return true;
}

void repo_member_list(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin, int64_t after,
    int limit, repo_member_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MEMBER_LIST, on_members, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

REPLY(on_head, struct room_head)
{
	out->room_id = *(int64_t *)query->extra;
	if (PQntuples(res) > 0) {
		struct pgrow row = pgrow_at(res, 0, query->task->pool);

		out->room_id = pgrow_i64(&row);
		out->last_seq = pgrow_i64(&row);
		out->epoch = pgrow_i64(&row);
		out->can_read = pgrow_bool(&row);
		out->is_member = pgrow_bool(&row);
		out->archived = pgrow_bool(&row);
	}
	return true;
}

void repo_room_head(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_head_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_HEAD, on_head, done, arg);
	int64_t *kept = pl_alloc(query->pool, sizeof(*kept));

	*kept = room_id;
	query->extra = kept;
	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

static void read_ban(struct pgrow *row, struct room_ban *out)
{
	pgrow_skip(row, 1);
	out->user_id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->name = pgrow_text(row);
	out->by_id = pgrow_i64(row);
	out->by_name = pgrow_text(row);
	out->reason = pgrow_text(row);
	out->created_us = pgrow_time(row);
}

/* Rows: whether the caller may see the list, then a ban, or NULLs if there is none. */
REPLY(on_bans, struct room_ban_list)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	if (!pgrow_bool(&row))
		return pl_err_set(bad, PL_E_FORBIDDEN, NULL);
	if (!pgrow_null(&row))
		READ_ROWS(query, res, out, struct room_ban, read_ban);
	return true;
}

void repo_room_bans(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_ban_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_BANS, on_bans, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_start(query);
}

REPLY(on_strangers, struct id_list)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->ids = pgrow_i64s(&row, &out->count);
	return true;
}

void repo_room_strangers(struct db *db, struct pl_task *task, int64_t room_id, const int64_t *user_ids, int count,
    repo_id_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_STRANGERS, on_strangers, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64s(query, user_ids, count, false);
	pgquery_start(query);
}

static void read_room_head(struct pgrow *row, struct room_head *out)
{
	out->room_id = pgrow_i64(row);
	out->last_seq = pgrow_i64(row);
	out->epoch = pgrow_i64(row);
	out->can_read = true;
}

REPLY(on_heads, struct room_head_list)
{
	READ_ROWS(query, res, out, struct room_head, read_room_head);
	return true;
}

void repo_room_heads(struct db *db, struct pl_task *task, const int64_t *room_ids, int count,
    repo_room_head_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_HEADS, on_heads, done, arg);

	pgquery_i64s(query, room_ids, count, false);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/* Rooms: statements that change a room, and their common result (type room_result). */
#include "db/repo/repo_room.h"

#include "db/repo/repo_int.h"
#include "db/repo/repo_room_int.h"

const char *const visibility_words[] = { "public", "private", NULL };
const char *const policy_words[] = { "", "off", "mention", "all", NULL };
const char *const level_words[] = { "", "member", "moderator", "owner", NULL };

/* Elements of role_names of room_view(): the name and, if it was given in another form, that form in a second line. */
static void read_role_names(struct pgrow *row, struct room *room)
{
	int count;
	const struct pl_str *both = pgrow_texts(row, &count);
	struct pl_str *names = pl_alloc(row->pool, ((size_t)count + 1) * sizeof(*names));
	struct pl_str *displays = pl_alloc(row->pool, ((size_t)count + 1) * sizeof(*displays));

	for (int i = 0; i < count; i++) {
		displays[i] = both[i];
		(void)pl_str_cut(&displays[i], '\n', &names[i]);
		if (displays[i].len == 0)
			displays[i] = names[i];
	}
	room->role_names = names;
	room->role_displays = displays;
}

void repo_read_room(struct pgrow *row, struct room *room)
{
	room->id = pgrow_i64(row);
	room->name = pgrow_text(row);
	room->owner_id = pgrow_i64(row);
	room->visibility = pgrow_word(row, visibility_words, ROOM_PUBLIC);
	room->reply_policy = pgrow_word(row, policy_words, REPLY_DEFAULT);
	room->level = pgrow_word(row, level_words, LEVEL_NONE);
	room->last_seq = pgrow_i64(row);
	room->last_us = pgrow_time(row);
	room->epoch = pgrow_i64(row);
	room->created_us = pgrow_time(row);
	room->member_count = pgrow_i64(row);
	room->archived = pgrow_bool(row);
	room->role_ids = pgrow_i64s(row, &room->role_count);
	read_role_names(row, room);
	room->topic = pgrow_text(row);
	room->description = pgrow_text(row);
	room->slow_mode_s = pgrow_i32(row);
}

void repo_read_room_result(struct pgrow *row, struct room_result *result)
{
	struct room_change *change = &result->change;

	repo_read_room(row, &result->room);
	change->room_id = result->room.id;
	change->seq = pgrow_i64(row);
	change->kind = pgrow_text(row);
	change->target_seq = pgrow_i64(row);
	change->actor_kind = pgrow_word(row, author_kind_words, AUTHOR_SYSTEM);
	change->actor_id = pgrow_i64(row);
	change->actor_name = pgrow_text(row);
	change->body = pgrow_text(row);
	change->created_us = pgrow_time(row);
}

REPLY(on_result, struct room_result)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (repo_status_err(pgrow_text(&row), bad)) {
		repo_read_room_result(&row, out);
		return true;
	}
	if (bad->code == PL_E_CONFLICT && bad->detail[0] == '\0')
		pl_err_set(bad, PL_E_CONFLICT,
		    "A room must have an owner: hand it over first (POST /api/rooms/{room_id}/owner), or archive it.");
	return false;
}

static struct pgquery *change_new(
    struct db *db, struct pl_task *task, enum stmt_id stmt, repo_room_result_fn *done, void *arg)
{
	return QUERY(db, task, stmt, on_result, done, arg);
}

void repo_room_create(struct db *db, struct pl_task *task, int64_t user_id, const struct room_new *in,
    repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_CREATE, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, in->name);
	pgquery_cstr(query, visibility_words[in->visibility]);
	pgquery_cstr(query, in->reply_policy != REPLY_DEFAULT ? policy_words[in->reply_policy] : NULL);
	pgquery_i64s(query, in->role_ids, in->role_count, false);
	pgquery_i64(query, in->max_per_owner);
	pgquery_start(query);
}

void repo_room_patch(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    const struct room_patch *patch, repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_PATCH, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_text(query, patch->name);
	pgquery_text(query, patch->topic);
	pgquery_text(query, patch->description);
	pgquery_cstr(query, patch->visibility >= 0 ? visibility_words[patch->visibility] : NULL);
	pgquery_cstr(query, patch->reply_policy > REPLY_DEFAULT ? policy_words[patch->reply_policy] : NULL);
	pgquery_i32_or_null(query, patch->slow_mode_s, -1);
	pgquery_bool_or_null(query, patch->archived);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_deleted, struct room_deleted)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->members = pgrow_i64s(&row, &out->count);
	return true;
}

void repo_room_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_deleted_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_DELETE, on_deleted, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_i32(query, ROOM_DELETED_MEMBERS);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_room_join(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_JOIN, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

void repo_room_leave(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_LEAVE, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_member_add(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, int level, repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_MEMBER_ADD, done, arg);

	PL_BUG(level < LEVEL_MEMBER || level > LEVEL_OWNER);
	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_i64(query, other_id);
	pgquery_cstr(query, level_words[level]);
	pgquery_audited(query);
	pgquery_start(query);
}

/* Statements whose parameters are a room, the caller, and another user. */
static struct pgquery *about_user(struct pgquery *query, int64_t room_id, int64_t user_id, bool admin, int64_t other_id)
{
	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_i64(query, other_id);
	pgquery_audited(query);
	return query;
}

void repo_member_remove(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, repo_room_result_fn *done, void *arg)
{
	pgquery_start(about_user(change_new(db, task, S_MEMBER_REMOVE, done, arg), room_id, user_id, admin, other_id));
}

void repo_room_hand_over(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, repo_room_result_fn *done, void *arg)
{
	pgquery_start(about_user(change_new(db, task, S_ROOM_HAND_OVER, done, arg), room_id, user_id, admin, other_id));
}

void repo_room_ban(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, struct pl_str reason, repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_BAN, done, arg);

	about_user(query, room_id, user_id, admin, other_id);
	pgquery_text(query, reason);
	pgquery_start(query);
}

void repo_room_unban(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, db_done_fn *done, void *arg)
{
	pgquery_start(about_user(QUERY(db, task, S_ROOM_UNBAN, repo_on_status, done, arg), room_id, user_id, admin,
	    other_id));
}

void repo_room_role(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin, int64_t role_id,
    bool attach, repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_ROLE, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_i64(query, role_id);
	pgquery_bool(query, attach);
	pgquery_start(query);
}

void repo_room_take(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t role_id,
    repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = change_new(db, task, S_ROOM_TAKE, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_i64(query, role_id);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Read markers: statements, parameters, row readers.
 */
#include "db/repo/repo_mark.h"

#include "db/repo/repo_int.h"

static void read_mark(struct pgrow *row, struct read_mark *out)
{
	out->user_id = pgrow_i64(row);
	out->room_id = pgrow_i64(row);
	out->last_read = pgrow_i64(row);
	out->last_seq = pgrow_i64(row);
}

REPLY(on_marks, struct read_mark_list)
{
	READ_ROWS(query, res, out, struct read_mark, read_mark);
	return true;
}

void repo_read_marks(struct db *db, struct pl_task *task, const int64_t *user_ids, int count, repo_read_marks_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_READ_MARKS, on_marks, done, arg);

	pgquery_i64s(query, user_ids, count, false);
	pgquery_start(query);
}

/* Three parameters: rooms, users, positions. */
static void marks_given(struct pgquery *query, const struct read_mark *marks, int count)
{
	int64_t *values = pl_alloc(query->pool, ((size_t)count + 1) * sizeof(*values));

	for (int i = 0; i < count; i++)
		values[i] = marks[i].room_id;
	pgquery_i64s(query, values, count, false);
	for (int i = 0; i < count; i++)
		values[i] = marks[i].user_id;
	pgquery_i64s(query, values, count, false);
	for (int i = 0; i < count; i++)
		values[i] = marks[i].last_read;
	pgquery_i64s(query, values, count, false);
}

void repo_read_marks_write(struct db *db, struct pl_task *task, const struct read_mark *marks, int count,
    db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_READ_MARKS_WRITE, repo_on_count, done, arg);

	marks_given(query, marks, count);
	pgquery_start(query);
}

REPLY(on_moved, struct unread_count)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->last_read = pgrow_i64(&row);
	out->unread = pgrow_i64(&row);
	out->mentions = pgrow_i64(&row);
	return true;
}

void repo_read_mark_move(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t seq, bool back,
    repo_unread_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_READ_MARK_MOVE, on_moved, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_i64(query, seq);
	pgquery_bool(query, back);
	pgquery_start(query);
}

static void read_count(struct pgrow *row, struct unread_count *out)
{
	out->user_id = pgrow_i64(row);
	out->room_id = pgrow_i64(row);
	out->last_read = pgrow_i64(row);
	out->last_seq = pgrow_i64(row);
	out->unread = pgrow_i64(row);
	out->mentions = pgrow_i64(row);
}

REPLY(on_counts, struct unread_count_list)
{
	READ_ROWS(query, res, out, struct unread_count, read_count);
	return true;
}

void repo_unread_count(struct db *db, struct pl_task *task, const struct read_mark *marks, int count,
    repo_unread_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_UNREAD_COUNT, on_counts, done, arg);

	marks_given(query, marks, count);
	pgquery_start(query);
}

/* ---- what members want of rooms ---- */

REPLY(on_settings, struct member_settings)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->favorite = pgrow_bool(&row);
	out->muted = pgrow_bool(&row);
	out->muted_until_us = pgrow_time(&row);
	out->muted_mentions = pgrow_bool(&row);
	return true;
}

void repo_member_settings_put(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    enum member_set set, const struct member_settings *in, repo_member_settings_fn *done, void *arg)
{
	static const char *const words[] = { "favorite", "mute", "unmute" };
	struct pgquery *query = QUERY(db, task, S_MEMBER_SETTINGS_PUT, on_settings, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_cstr(query, words[set]);
	pgquery_bool(query, in->favorite);
	pgquery_time(query, in->muted_until_us);
	pgquery_bool(query, in->muted_mentions);
	pgquery_start(query);
}

REPLY(on_draft, struct draft)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	out->content = pgrow_text(&row);
	out->updated_us = pgrow_time(&row);
	return true;
}

void repo_draft_put(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, struct pl_str content,
    repo_draft_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_DRAFT_PUT, on_draft, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_text(query, content);
	pgquery_start(query);
}

void repo_draft_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, repo_draft_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_DRAFT_GET, on_draft, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_start(query);
}

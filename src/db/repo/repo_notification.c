/* SPDX-License-Identifier: ISC */
/*
 * Notifications: statements, parameters, row readers.
 */
#include "db/repo/repo_notification.h"

#include "db/repo/repo_int.h"

static void read_notification(struct pgrow *row, struct notification *out)
{
	out->unread = pgrow_i64(row);
	if (pgrow_null(row))	/* the one row of a list without any */
		return;
	out->id = pgrow_i64(row);
	out->user_id = pgrow_i64(row);
	out->kind = pgrow_text(row);
	out->actor_id = pgrow_i64(row);
	out->actor = pgrow_text(row);
	out->actor_name = pgrow_text(row);
	out->room_id = pgrow_i64(row);
	out->room = pgrow_text(row);
	out->seq = pgrow_i64(row);
	out->request_id = pgrow_text(row);
	out->text = pgrow_text(row);
	out->created_us = pgrow_time(row);
	out->read_us = pgrow_time(row);
}

REPLY(on_list, struct notification_list)
{
	READ_PAGE(query, res, out, struct notification, read_notification);
	out->unread = out->count > 0 ? out->rows[0].unread : 0;
	if (out->count == 1 && out->rows[0].id == 0)
		out->count = 0;
	return true;
}

void repo_notification_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, bool unread,
    int limit, repo_notification_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATION_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, user_id);
	pgquery_i64(query, before);
	pgquery_bool(query, unread);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

REPLY(on_read, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	*out = pgrow_i64(&row);
	return true;
}

void repo_notification_read(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, int64_t up_to,
    db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATION_READ, on_read, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64_or_null(query, id, 0);
	pgquery_i64_or_null(query, up_to, 0);
	pgquery_start(query);
}

REPLY(on_settings, struct notification_settings)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	for (int i = 0; i < NOTIFY_KINDS; i++)
		out->delivery[i] = pgrow_text(&row);
	out->hour = pgrow_i32(&row);
	out->due_us = pgrow_time(&row);
	return true;
}

void repo_notification_settings(struct db *db, struct pl_task *task, int64_t user_id,
    repo_notification_settings_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATION_SETTINGS, on_settings, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}

void repo_notification_settings_put(struct db *db, struct pl_task *task, int64_t user_id,
    const struct notification_settings *settings, bool replace, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATION_SETTINGS_PUT, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_bool(query, replace);
	pgquery_i32_or_null(query, settings->hour, -1);
	pgquery_texts(query, settings->delivery, NOTIFY_KINDS);
	pgquery_start(query);
}

void repo_notification_mails_off(struct db *db, struct pl_task *task, int64_t user_id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATION_MAILS_OFF, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}

void repo_digests_queue(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_DIGESTS_QUEUE, repo_on_count, done, arg);

	pgquery_i32(query, limit);
	pgquery_start(query);
}

REPLY(on_new, struct notification_list)
{
	READ_ROWS(query, res, out, struct notification, read_notification);
	return true;
}

void repo_notify_message(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, const struct pl_str *places,
    int count, int64_t most, repo_notification_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFY_MESSAGE, on_new, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_texts(query, places, count);
	pgquery_i64(query, most);
	pgquery_start(query);
}

void repo_notify_announce(struct db *db, struct pl_task *task, int limit, int64_t most,
    repo_notification_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFY_ANNOUNCE, on_new, done, arg);

	pgquery_i32(query, limit);
	pgquery_i64(query, most);
	pgquery_start(query);
}

static void read_left(struct pgrow *row, struct notify_left *out)
{
	out->room_id = pgrow_i64(row);
	out->seq = pgrow_i64(row);
	out->content = pgrow_text(row);
}

REPLY(on_left, struct notify_left_list)
{
	READ_ROWS(query, res, out, struct notify_left, read_left);
	return true;
}

void repo_notify_left(struct db *db, struct pl_task *task, int limit, repo_notify_left_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFY_LEFT, on_left, done, arg);

	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_notifications_purge(struct db *db, struct pl_task *task, int64_t keep_us, int limit, db_count_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_NOTIFICATIONS_PURGE, repo_on_count, done, arg);

	pgquery_i64(query, keep_us);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

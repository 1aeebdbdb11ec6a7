/* SPDX-License-Identifier: ISC */
/*
 * Messages and the log: statements, parameters, row readers. Appending is wgroup.c's.
 */
#include "db/repo_message.h"

#include "db/repo_int.h"
#include "leaf.h"

/*
 * Rows: last_seq, epoch of the room, then a message or NULLs (a readable room without any); no row: no such room. Pages
 * before a seq come newest first and are turned round here.
 */
static void on_page(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	bool backwards = call->stmt == &stmts[S_PAGE_BEFORE];
	struct message_list list = { .count = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		int rows = repo_rows(call, res, &list.more);
		struct message *messages = pl_alloc(call->task->pool, (size_t)rows * sizeof(*messages));

		for (int i = 0; i < rows; i++) {
			struct pgrow row = pgrow_at(res, backwards ? rows - 1 - i : i, call->task->pool);

			list.last_seq = pgrow_i64(&row);
			list.epoch = pgrow_i64(&row);
			if (pgrow_null(&row))
				break;
			repo_read_message(&row, &messages[i]);
			list.count++;
		}
		list.rows = messages;
	}
	if (call->done != NULL)
		DONE(repo_message_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_message_page(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t after,
    int64_t before, int limit, repo_message_list_fn *done, void *arg)
{
	bool backwards = before > 0 || after < 0;
	struct pgcall *call = pgcall_new(db, task, backwards ? S_PAGE_BEFORE : S_PAGE_AFTER, on_page,
	    (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, room_id);
	pgcall_i64(call, user_id);
	if (backwards)
		pgcall_i64(call, before > 0 ? before : INT64_MAX);
	else
		pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_message(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct message message = { .seq = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		repo_read_message(&row, &message);
	}
	if (call->done != NULL)
		DONE(repo_message_fn, call)(call->arg, err == NULL ? &message : NULL, err);
}

void repo_message_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t user_id,
    repo_message_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_MESSAGE_GET, on_message, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, room_id);
	pgcall_i64(call, seq);
	pgcall_i64(call, user_id);
	pgcall_start(call);
}

static void on_log(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct room_log list = { .count = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		int rows = repo_rows(call, res, &list.more);
		struct room_event *events = pl_alloc(call->task->pool, (size_t)rows * sizeof(*events));

		for (int i = 0; i < rows; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			list.last_seq = pgrow_i64(&row);
			list.epoch = pgrow_i64(&row);
			if (pgrow_null(&row))
				break;
			repo_read_event(&row, &events[i]);
			list.count++;
		}
		list.rows = events;
	}
	if (call->done != NULL)
		DONE(repo_room_log_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_room_log(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t after, int limit,
    repo_room_log_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LOG, on_log, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, room_id);
	pgcall_i64(call, user_id);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static bool text_ok(struct pl_str text)
{
	return text.ptr == NULL || pl_utf8_ok(text.ptr, text.len);
}

void repo_message_append(
    struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg)
{
	PL_BUG(in->content.ptr == NULL || !text_ok(in->content) || !text_ok(in->client_id) || !text_ok(in->meta));
	PL_BUG(in->generation_id.ptr != NULL && !pl_uuid_ok(in->generation_id));
	wgroup_add(db->wgroup, task, in, done, arg);
}

/* Status, then the message and the log entry (if one was written) as log rows. */
static void on_changed(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct message_changed result = { .message = { .seq = 0 } };
	struct pl_err bad;

	for (int i = 0; err == NULL && i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, call->task->pool);
		struct room_event event = { .is_message = false };

		if (!repo_status_err(pgrow_text(&row), &bad)) {
			err = &bad;
			break;
		}
		repo_read_event(&row, &event);
		if (event.is_message)
			result.message = event.message;
		else
			result.change = event.change;
	}
	if (call->done != NULL)
		DONE(repo_message_changed_fn, call)(call->arg, err == NULL ? &result : NULL, err);
}

void repo_message_edit(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t user_id,
    struct pl_str content, repo_message_changed_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_MESSAGE_EDIT, on_changed, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, room_id);
	pgcall_i64(call, seq);
	pgcall_i64(call, user_id);
	pgcall_text(call, content);
	pgcall_start(call);
}

void repo_message_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t user_id, bool admin,
    repo_message_changed_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_MESSAGE_DELETE, on_changed, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, room_id);
	pgcall_i64(call, seq);
	pgcall_i64(call, user_id);
	pgcall_bool(call, admin);
	pgcall_start(call);
}

/* SPDX-License-Identifier: ISC */
/*
 * Messages and the log: statements, parameters, row readers. Appending is wgroup.c's.
 */
#include "db/repo/repo_message.h"

#include "db/repo/names.h"
#include "db/repo/repo_int.h"
#include "leaf.h"

#define MESSAGE_COLUMNS 13	/* what repo_read_message() reads */

typedef repo_message_list_fn on_page_done;	/* for QUERY(): the result comes in two steps */

/* One page on its way: authors' names that are not known here are asked for behind the rows. */
struct page { struct message_list list; struct message *messages; };

static void page_done(struct pgquery *query, const struct page *page, const struct pl_err *err)
{
	if (query->done != NULL)
		((on_page_done *)query->done)(query->arg, err == NULL ? &page->list : NULL, err);
}

/* Fills in what is known; ids of the others (each once) go to missing[]. */
static int page_name(const struct db *db, struct page *page, struct pl_pool *pool, int64_t *missing)
{
	int count = 0;

	for (int i = 0; i < page->list.count; i++) {
		struct message *m = &page->messages[i];
		struct pl_str display;
		const char *name;
		int k = 0;

		if (m->author_kind != AUTHOR_USER || m->author_name.ptr != NULL)
			continue;
		name = db_name_find(db, m->author_id, &display);
		if (name != NULL) {
			m->author_name = i > 0 && page->messages[i - 1].author_id == m->author_id &&
			    page->messages[i - 1].author_kind == AUTHOR_USER ? page->messages[i - 1].author_name :
			    pl_str_dup(pool, pl_str(name));
			m->author_display = pl_str_dup(pool, display);
			continue;
		}
		while (k < count && missing[k] != m->author_id)
			k++;
		if (k == count)
			missing[count++] = m->author_id;
	}
	return count;
}

static void on_names(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct page *page = query->extra;

	for (int i = 0; err == NULL && i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);
		int64_t id = pgrow_i64(&row);
		struct pl_str name = pgrow_text(&row), display = pgrow_text(&row);

		db_name_put(query->db, id, name, display);
		for (int k = 0; k < page->list.count; k++) {
			if (page->messages[k].author_kind != AUTHOR_USER || page->messages[k].author_id != id)
				continue;
			page->messages[k].author_name = name;
			page->messages[k].author_display = display;
		}
	}
	page_done(query, page, err);
}

/*
 * Rows: a message or NULLs (a readable room without any), then last_seq and epoch of the room; no row: no such room.
 * Pages before a seq come newest first and are turned round here.
 */
static void page_read(struct pgquery *query, const PGresult *res, struct page *page)
{
	bool backwards = query->stmt == &stmts[S_PAGE_BEFORE];
	int rows = repo_rows_fit(query, res, &page->list.more);

	page->messages = pl_alloc(query->task->pool, (size_t)rows * sizeof(*page->messages));
	page->list.rows = page->messages;
	for (int i = 0; i < rows; i++) {
		struct pgrow row = pgrow_at(res, backwards ? rows - 1 - i : i, query->task->pool);

		if (i == 0) {
			struct pgrow tail = row;

			pgrow_skip(&tail, MESSAGE_COLUMNS + 1);
			page->list.last_seq = pgrow_i64(&tail);
			page->list.epoch = pgrow_i64(&tail);
		}
		if (pgrow_null(&row))
			break;
		repo_read_message(&row, &page->messages[i]);
		page->messages[i].author_display = pgrow_text(&row);
		page->list.count++;
	}
}

static void on_page(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct page *page = pl_alloc(query->task->pool, sizeof(*page));
	int64_t *missing;
	struct pgquery *names;
	struct pl_err bad;
	int count;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err != NULL) {
		page_done(query, page, err);
		return;
	}
	page_read(query, res, page);
	missing = pl_alloc(query->task->pool, ((size_t)page->list.count + 1) * sizeof(*missing));
	count = page_name(query->db, page, query->task->pool, missing);
	if (count == 0) {
		page_done(query, page, NULL);
		return;
	}
	names = pgquery_new(query->db, query->task, S_USER_NAMES, on_names, query->done, query->arg);
	names->extra = page;
	pgquery_i64s(names, missing, count, false);
	pgquery_start(names);
}

void repo_message_page(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    const struct message_range *range, repo_message_list_fn *done, void *arg)
{
	bool backwards = range->before > 0 || range->after < 0;
	struct pgquery *query = QUERY(db, task, backwards ? S_PAGE_BEFORE : S_PAGE_AFTER, on_page, done, arg);

	repo_keep_limit(query, range->limit);
	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	if (backwards)
		pgquery_i64(query, range->before > 0 ? range->before : INT64_MAX);
	else
		pgquery_i64(query, range->after);
	pgquery_i32(query, range->limit);
	pgquery_i32(query, range->offset);
	pgquery_i32(query, range->most);
	pgquery_i32(query, range->bytes);
	pgquery_start(query);
}

REPLY(on_log, struct room_log)
{
	int rows = PQntuples(res);
	struct room_event *events = pl_alloc(query->task->pool, ((size_t)rows + 1) * sizeof(*events));
	struct pgrow first;

	if (!repo_first(query, res, &first, bad))
		return false;
	for (int i = 0; i < rows; i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);

		out->last_seq = pgrow_i64(&row);
		out->epoch = pgrow_i64(&row);
		if (pgrow_null(&row))
			break;
		repo_read_event(&row, &events[i]);
		if (events[i].is_message) {
			pgrow_skip(&row, 1);	/* kind */
			events[i].message.author_display = pgrow_text(&row);
		}
		out->count++;
	}
	out->rows = events;
	out->more = out->count > 0 && room_event_seq(&events[out->count - 1]) < out->last_seq;
	return true;
}

void repo_room_log(struct db *db, struct pl_task *task, int64_t room_id, int64_t after, int limit, int64_t bytes,
    repo_room_log_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LOG, on_log, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_i64(query, bytes);
	pgquery_start(query);
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
REPLY(on_changed, struct message_changed)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);
		struct room_event event = { .is_message = false };

		if (!repo_status_err(pgrow_text(&row), bad))
			return false;
		repo_read_event(&row, &event);
		if (event.is_message)
			out->message = event.message;
		else
			out->change = event.change;
	}
	return true;
}

void repo_message_edit(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t user_id,
    struct pl_str content, repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_EDIT, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, user_id);
	pgquery_text(query, content);
	pgquery_start(query);
}

void repo_message_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t user_id, bool admin,
    repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_DELETE, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, user_id);
	pgquery_bool(query, admin);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/* Messages and the log: statements, parameters, row readers. wgroup.c appends messages. */
#include "db/repo/repo_message.h"

#include "db/repo/author.h"
#include "db/repo/names.h"
#include "db/repo/repo_int.h"
#include "leaf.h"

#define MESSAGE_COLUMNS 13	/* columns that repo_read_message() reads */

/* For QUERY(): results come in two steps, because the rows do not contain the names of users. */
typedef repo_message_list_fn on_page_done;
typedef repo_room_log_fn on_log_done;

#define PAGE_EACH_MIN 4096	/* bytes of a message; narrower pages are usually read as PAGE_LONG */

/*
 * The parameters of a page, kept to ask again for long messages. `limit` must be first, because repo_rows() reads it
 * there.
 */
struct page_ask {
	int limit;
	int64_t room_id, user_id;
	struct message_range range;
	uint64_t names;
	bool backwards, whole;		/* whole: with long texts */
};

struct page { struct message_list list; struct message *messages; };

static bool names_sure(const struct db *db, const struct message_list *list)
{
	for (int i = 0; i < list->count; i++) {
		const struct message *m = &list->rows[i];

		if (m->author_kind == AUTHOR_USER && (i == 0 || list->rows[i - 1].author_kind != AUTHOR_USER ||
		    list->rows[i - 1].author_id != m->author_id) &&
		    db_name_state(db, m->author_id) != DB_NAME_SURE)
			return false;
	}
	return true;
}

static void page_done(struct pgquery *query, void *result, const struct pl_err *err)
{
	struct page *page = result;

	if (err == NULL)
		page->list.sure = names_sure(query->db, &page->list);
	if (query->done != NULL)
		((on_page_done *)query->done)(query->arg, err == NULL ? &page->list : NULL, err);
}

/*
 * Rows: a message, or NULLs for a readable room without messages; then last_seq and epoch of the room. No row: there is
 * no such room. Pages before a seq come newest first and are reversed here.
 */
static void page_read(struct pgquery *query, const PGresult *res, struct page *page)
{
	bool backwards = ((const struct page_ask *)query->extra)->backwards;
	int rows = repo_rows_fit(query, res, &page->list.more);

	page->messages = pl_alloc(query->task->pool, (size_t)rows * sizeof(*page->messages));
	page->list.rows = page->messages;
	for (int i = 0; i < rows; i++) {
		struct pgrow row = pgrow_at(res, backwards ? rows - 1 - i : i, query->task->pool);

		if (i == 0) {
			struct pgrow tail = row;

			pgrow_skip(&tail, MESSAGE_COLUMNS + 1);
			page->list.mark.last_seq = pgrow_i64(&tail);
			page->list.mark.epoch = pgrow_i64(&tail);
			page->list.mark.edits = pgrow_i64(&tail);
		}
		if (pgrow_null(&row))
			break;
		repo_read_message(&row, &page->messages[i]);
		page->messages[i].author_display = pgrow_text(&row);
		page->list.count++;
	}
}

static void page_start(struct db *db, struct pl_task *task, struct page_ask ask, repo_message_list_fn *done, void *arg);

/* Checks whether the quick statement left out the text of a message. */
static bool page_lacks(const struct pgquery *query, const PGresult *res)
{
	struct pgrow last;
	bool more;
	int rows = repo_rows(query, res, &more);

	if (((const struct page_ask *)query->extra)->whole)
		return false;
	for (int i = 0; i < rows; i++)
		if (repo_last_column(res, i, &last) && pgrow_bool(&last))
			return true;
	return false;
}

static void on_page(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct page *page = pl_alloc(query->task->pool, sizeof(*page));
	struct author_ref *refs;
	struct pl_err bad;
	int count = 0;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err != NULL) {
		page_done(query, page, err);
		return;
	}
	if (page_lacks(query, res)) {
		struct page_ask ask = *(const struct page_ask *)query->extra;

		ask.whole = true;
		page_start(query->db, query->task, ask, (on_page_done *)query->done, query->arg);
		return;
	}
	page_read(query, res, page);
	page->list.mark.names = ((const struct page_ask *)query->extra)->names;
	refs = pl_alloc(query->task->pool, ((size_t)page->list.count + 1) * sizeof(*refs));
	for (int i = 0; i < page->list.count; i++) {
		struct message *m = &page->messages[i];

		if (m->author_kind == AUTHOR_USER)
			refs[count++] = (struct author_ref){ m->author_id, &m->author_name, &m->author_display };
	}
	author_fill(query, refs, count, page_done, page);
}

/*
 * Summing up sizes row by row makes a page twice as expensive. It is done only if a message is so large that a page of
 * such messages could be too large.
 */
static void page_start(struct db *db, struct pl_task *task, struct page_ask ask, repo_message_list_fn *done, void *arg)
{
	static const enum stmt_id whole[PAGE_OF_KINDS][2] = { { S_PAGE_LONG_AFTER, S_PAGE_LONG_BEFORE },
		{ S_PAGE_PINNED_AFTER, S_PAGE_PINNED_BEFORE } };
	const struct message_range *range = &ask.range;
	int32_t each = range->bytes / (range->limit + 1);
	enum stmt_id stmt;
	struct page_ask *kept;
	struct pgquery *query;

	each = each < range->most ? each : range->most;
	ask.backwards = range->before > 0 || range->after < 0;
	ask.whole = ask.whole || each < PAGE_EACH_MIN || range->of != PAGE_OF_ALL;
	if (ask.whole)
		stmt = whole[range->of][ask.backwards];
	else
		stmt = ask.backwards ? S_PAGE_BEFORE : S_PAGE_AFTER;
	query = QUERY(db, task, stmt, on_page, done, arg);
	kept = pl_alloc(query->pool, sizeof(*kept));
	*kept = ask;
	query->extra = kept;
	pgquery_i64(query, ask.room_id);
	pgquery_i64(query, ask.user_id);
	if (ask.backwards)
		pgquery_i64(query, range->before > 0 ? range->before : INT64_MAX);
	else
		pgquery_i64(query, range->after);
	pgquery_i32(query, range->limit);
	pgquery_i32(query, range->offset);
	pgquery_i32(query, ask.whole ? range->most : each);
	if (ask.whole)
		pgquery_i32(query, range->bytes);
	pgquery_start(query);
}

void repo_message_page(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    const struct message_range *range, repo_message_list_fn *done, void *arg)
{
	struct page_ask ask = { .limit = range->limit, .room_id = room_id, .user_id = user_id, .range = *range,
		.names = db->name_changes };

	page_start(db, task, ask, done, arg);
}

REPLY(on_mark, struct room_marked)
{
	struct pgrow row;
	int displays;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->mark.last_seq = pgrow_i64(&row);
	out->mark.epoch = pgrow_i64(&row);
	out->mark.edits = pgrow_i64(&row);
	out->mark.names = query->db->name_changes;
	out->role_names = pgrow_texts(&row, &out->role_count);
	out->role_displays = pgrow_texts(&row, &displays);
	return true;
}

void repo_room_mark(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, const int64_t *role_ids,
    int role_count, repo_room_mark_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_ROOM_MARK, on_mark, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, user_id);
	pgquery_i64s(query, role_ids, role_count, false);
	pgquery_start(query);
}

static void log_done(struct pgquery *query, void *result, const struct pl_err *err)
{
	if (query->done != NULL)
		((on_log_done *)query->done)(query->arg, err == NULL ? result : NULL, err);
}

/* Rows: last_seq and epoch of the room, then a log row or NULLs, then the display name of a role. */
static void log_read(struct pgquery *query, const PGresult *res, struct room_log *log, struct room_event *events)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);

		log->last_seq = pgrow_i64(&row);
		log->epoch = pgrow_i64(&row);
		if (pgrow_null(&row))
			break;
		repo_read_event(&row, &events[i]);
		if (events[i].is_message) {
			pgrow_skip(&row, 1);	/* kind */
			events[i].message.author_display = pgrow_text(&row);
		}
		log->count++;
	}
	log->rows = events;
	log->more = log->count > 0 && room_event_seq(&events[log->count - 1]) < log->last_seq;
}

static void on_log(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	size_t rows = err == NULL ? (size_t)PQntuples(res) : 0;
	struct room_log *log = pl_alloc(query->task->pool, sizeof(*log));
	struct room_event *events = pl_alloc(query->task->pool, (rows + 1) * sizeof(*events));
	struct author_ref *refs = pl_alloc(query->task->pool, (rows + 1) * sizeof(*refs));
	struct pl_err bad;
	int count = 0;

	if (err == NULL && rows == 0)
		err = repo_not_found(&bad);
	if (err != NULL) {
		log_done(query, log, err);
		return;
	}
	log_read(query, res, log, events);
	for (int i = 0; i < log->count; i++) {
		struct message *m = &events[i].message;
		struct room_change *c = &events[i].change;

		if (events[i].is_message && m->author_kind == AUTHOR_USER)
			refs[count++] = (struct author_ref){ m->author_id, &m->author_name, &m->author_display };
		else if (!events[i].is_message && c->actor_kind == AUTHOR_USER)
			refs[count++] = (struct author_ref){ c->actor_id, &c->actor_name, NULL };
	}
	author_fill(query, refs, count, log_done, log);
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
	if (!author_wait(db, task, in, done, arg))
		wgroup_add(db->wgroup, task, in, done, arg);
}

/* Status, then message and log entry (if one was written) as log rows. */
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

void repo_message_edit(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str content,
    int64_t window_ms, repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_EDIT, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, content);
	pgquery_i64(query, window_ms);
	pgquery_start(query);
}

void repo_message_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t window_ms,
    repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_DELETE, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, task->who.user_id);
	pgquery_bool(query, task->who.access == ACCESS_ADMIN);
	pgquery_i64(query, window_ms);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_message_react(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str emoji, bool on,
    repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_REACT, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, emoji);
	pgquery_bool(query, on);
	pgquery_i32(query, REACTIONS_MAX);
	pgquery_start(query);
}

void repo_message_pin(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, bool on,
    repo_message_changed_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_PIN, on_changed, done, arg);

	pgquery_i64(query, room_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, task->who.user_id);
	pgquery_bool(query, on);
	pgquery_i32(query, PINS_MAX);
	pgquery_start(query);
}

static void read_reaction(struct pgrow *row, struct reaction *out)
{
	out->id = pgrow_i64(row);
	out->emoji = pgrow_text(row);
	out->user_id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->name = pgrow_text(row);
	out->created_us = pgrow_time(row);
}

/* A message without reactions is one row of NULLs. */
REPLY(on_reactions, struct reaction_list)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	if (!pgrow_null(&row))
		READ_PAGE(query, res, out, struct reaction, read_reaction);
	return true;
}

void repo_message_reactions(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq,
    const struct reaction_range *range, repo_reaction_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_REACTIONS, on_reactions, done, arg);

	repo_keep_limit(query, range->limit);
	pgquery_i64(query, room_id);
	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, seq);
	pgquery_i64(query, range->after);
	pgquery_text(query, range->emoji);
	pgquery_i64_or_null(query, range->user_id, 0);
	pgquery_i32(query, range->limit);
	pgquery_start(query);
}

static void read_version(struct pgrow *row, struct message_version *out)
{
	out->version = (int)pgrow_i32(row);
	out->content = pgrow_text(row);
	out->written_us = pgrow_time(row);
}

/* A message without earlier texts is one row of NULLs. */
REPLY(on_versions, struct message_version_list)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	if (!pgrow_null(&row))
		READ_PAGE(query, res, out, struct message_version, read_version);
	return true;
}

void repo_message_versions(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int after, int limit,
    repo_version_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MESSAGE_VERSIONS, on_versions, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, room_id);
	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, seq);
	pgquery_i32(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

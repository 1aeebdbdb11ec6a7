/* SPDX-License-Identifier: ISC */
/* Sends and rooms: memory, parameters, and results. */
#include "db/conn/wsend.h"

#include "clock.h"
#include "db/conn/pgrow.h"
#include "db/repo/names.h"
#include "db/repo/repo_int.h"
#include "leaf.h"
#include "log.h"

struct wsend *wsend_new(
    struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct wsend *send = pl_alloc(pool, sizeof(*send));

	*send = (struct wsend){ .pool = pool, .db = db, .task = pl_task_hold(task), .in = *in, .done = done, .arg = arg,
		.started_ns = pl_now_ns() };
	send->work = shed_begin(&db->shed, SHED_SEND, send->started_ns);
	send->in.client_id = pl_str_dup(pool, in->client_id);
	send->in.content = pl_str_dup(pool, in->content);
	send->in.generation_id = pl_str_dup(pool, in->generation_id);
	send->in.meta = pl_str_dup(pool, in->meta);
	if (send->in.client_id.ptr == NULL) {
		char *id = pl_alloc(pool, PL_UUID_LEN + 1);

		pl_uuid_make(id);
		send->in.client_id = pl_strn(id, PL_UUID_LEN);
	}
	return send;
}

void wsend_finish(struct wsend *send, const struct appended *result, const struct pl_err *err)
{
	int64_t now_ns;

	if (send->task == NULL)
		return;
	now_ns = pl_now_ns();
	shed_end(&send->db->shed, SHED_SEND, send->work, result != NULL, now_ns);
	send->task->sql_ns += now_ns - send->started_ns;
	if (send->done != NULL)
		send->done(send->arg, result, err);
	pl_task_release(&send->task);
}

static void wsend_fail(struct wsend *send, enum pl_code code, int retry_after_s)
{
	struct pl_err err;

	pl_err_set(&err, code, NULL);
	err.retry_after_s = retry_after_s;
	wsend_finish(send, NULL, &err);
}

static void wsend_free(struct wsend **sendp)
{
	struct pl_pool *pool = (*sendp)->pool;

	PL_BUG((*sendp)->task != NULL);
	*sendp = NULL;
	pl_pool_free(&pool);
}

void wsend_fail_list(struct wsend_list *list, enum pl_code code, int retry_after_s, bool unknown)
{
	struct wsend *send;

	while ((send = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, send, link);
		if (unknown && send->sent)
			wsend_fail(send, PL_E_WRITE_UNKNOWN, 0);
		else
			wsend_fail(send, code, retry_after_s);
		wsend_free(&send);
	}
}

void wsend_sweep(struct wsend_list *list, int64_t now_ns, bool away)
{
	struct wsend *send = TAILQ_FIRST(list), *next;

	for (; send != NULL; send = next) {
		next = TAILQ_NEXT(send, link);
		if (send->task == NULL)
			continue;
		if (now_ns >= send->task->deadline_ns) {
			if (send->sent)
				wsend_fail(send, PL_E_WRITE_UNKNOWN, 0);
			else if (away)
				wsend_fail(send, PL_E_DB_AWAY, DB_RETRY_AFTER_S);
			else
				wsend_fail(send, PL_E_DEADLINE, 0);
		} else if (send->task->cancelled && !send->sent) {
			wsend_fail(send, PL_E_CANCELLED, 0);
		}
		if (send->task == NULL && !send->sent) {
			TAILQ_REMOVE(list, send, link);
			wsend_free(&send);
		}
	}
}

struct wroom *wroom_new(int64_t room_id)
{
	struct wroom *room = pl_new(sizeof(*room));

	room->room_id = room_id;
	TAILQ_INIT(&room->sends);
	return room;
}

void wroom_add(struct wroom *room, struct wsend *send)
{
	TAILQ_INSERT_TAIL(&room->sends, send, link);
	room->count++;
}

/* Collects the same text of each send. */
static void add_texts(struct pgquery *query, struct pl_str *texts, const struct wroom *room, size_t offset)
{
	const struct wsend *send;
	int i = 0;

	TAILQ_FOREACH(send, &room->sends, link)
		memcpy(&texts[i++], (const char *)send + offset, sizeof(texts[0]));
	pgquery_texts(query, texts, room->count);
}

struct pgquery *wroom_call(struct wroom *room, struct db *db, pgquery_fn *finish, void *arg)
{
	struct pgquery *query = pgquery_new(db, NULL, S_APPEND, finish, NULL, arg);
	struct pl_str *texts = pl_alloc(query->pool, (size_t)room->count * sizeof(*texts));
	int64_t *numbers = pl_alloc(query->pool, (size_t)room->count * sizeof(*numbers));
	struct wsend *send;
	int i = 0;

	pgquery_i64(query, room->room_id);
	TAILQ_FOREACH(send, &room->sends, link) {
		send->sent = true;
		texts[i++] = pl_str(author_kind_words[send->in.author_kind]);
	}
	pgquery_texts(query, texts, room->count);
	i = 0;
	TAILQ_FOREACH(send, &room->sends, link)
		numbers[i++] = send->in.author_id;
	pgquery_i64s(query, numbers, room->count, false);
	add_texts(query, texts, room, offsetof(struct wsend, in.client_id));
	add_texts(query, texts, room, offsetof(struct wsend, in.content));
	i = 0;
	TAILQ_FOREACH(send, &room->sends, link)
		numbers[i++] = send->in.reply_to;
	pgquery_i64s(query, numbers, room->count, true);
	add_texts(query, texts, room, offsetof(struct wsend, in.generation_id));
	add_texts(query, texts, room, offsetof(struct wsend, in.meta));
	room->tries++;
	return query;
}

/* seq and created_us of status slow_mode: the interval in seconds, and when the author may send again. */
static void slow_mode_err(struct pl_err *err, const struct appended *result)
{
	int64_t wait_us = result->created_us - pl_wall_us();

	pl_err_set(err, PL_E_SLOW_MODE, "Slow mode: each member can send one message every %lld s in this room.",
	    (long long)result->seq);
	err->retry_after_s = wait_us > 0 ? (int)((wait_us + PL_US_PER_S - 1) / PL_US_PER_S) : 1;
}

static void settle_one(struct wsend *send, struct pgrow *row, bool unknown, struct db *db)
{
	struct appended result = { .client_id = PL_STR_NONE };
	struct pl_err err;
	struct pl_str status = pgrow_text(row);

	result.seq = pgrow_i64(row);
	result.created_us = pgrow_time(row);
	result.has_roles = pgrow_bool(row);
	result.takes_roles = pgrow_bool(row);
	result.reply_to = pgrow_i64(row);
	if (pl_str_is(status, "ok") || pl_str_is(status, "duplicate")) {
		result.duplicate = pl_str_is(status, "duplicate") && !unknown;
		if (!result.duplicate)
			db_count(db, SHM_M_sent, 1);
		if (send->task != NULL) {
			result.client_id = pl_str_dup(send->task->pool, send->in.client_id);
			if (send->in.author_kind == AUTHOR_USER)
				(void)db_name_find(db, send->in.author_id, &result.display);
			result.display = pl_str_dup(send->task->pool, result.display);
		}
		wsend_finish(send, &result, NULL);
	} else {
		if (pl_str_is(status, "slow_mode"))
			slow_mode_err(&err, &result);
		else
			repo_status_err(status, &err);
		wsend_finish(send, NULL, &err);
	}
}

void wroom_settle(struct wroom *room, const PGresult *res, struct db *db)
{
	struct wsend *send;

	PL_BUG(PQntuples(res) != room->count);
	for (int i = 0; i < room->count; i++) {
		struct pgrow row;

		send = TAILQ_FIRST(&room->sends);
		TAILQ_REMOVE(&room->sends, send, link);
		row = pgrow_at(res, i, send->pool);
		settle_one(send, &row, room->unknown, db);
		wsend_free(&send);
	}
	room->count = 0;
}

void wroom_free(struct wroom **roomp)
{
	struct wroom *room = *roomp;
	struct wsend *send;

	*roomp = NULL;
	while ((send = TAILQ_FIRST(&room->sends)) != NULL) {
		TAILQ_REMOVE(&room->sends, send, link);
		wsend_free(&send);
	}
	PQclear(room->res);
	pl_free(room);
}

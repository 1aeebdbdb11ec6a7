/* SPDX-License-Identifier: ISC */
/* Routes of messages: reading the history, and sending. */
#include "api/http/request.h"
#include "api/recent.h"
#include "api/room_shape.h"
#include "svc/room/chat.h"

static void on_page(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct message_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		message_shape(&items[i], &list->rows[i], request->req->task->pool);
	if (list->more)
		messages_link_next(request, items[0].seq, items[list->count - 1].seq);
	request_reply_list(request, &shape_message_out, items, list->count);
}

/* ---- the newest messages ---- */

#define NEWEST_TRIES 2

/* A request for the newest messages of a room. */
struct newest {
	struct request *request;
	int64_t room_id;
	struct message_range range;
	int tries;			/* times that the mark was asked for again: another request was reading */
	int role_count;
	int64_t role_ids[RECENT_ROLES];	/* what the mark was asked for */
};

static struct recents *recents_of(const struct newest *newest)
{
	return newest->request->svc->recents;
}

static size_t bytes_max(const struct newest *newest)
{
	return (size_t)newest->request->req->config->s.page_memory;
}

static bool newest_reply(struct newest *newest, const struct recent *recent, enum shm_metric from)
{
	struct request *request = newest->request;
	struct recent_page page;

	if (!recent_page(recent, newest->range.limit, request->req->task->pool, &page))
		return false;
	shm_count(request->svc->shm, from, 1);
	if (page.more)
		messages_link_next(request, page.first_seq, page.last_seq);
	req_reply(request->req, request->route->status, NULL, page.json);
	return true;
}

static void on_newest(void *arg, const struct message_list *list, const struct pl_err *err);

/* after: what is kept ends there; -1: everything is read. Until it is done, others wait for it. */
static void newest_read(struct newest *newest, int64_t after)
{
	struct request *request = newest->request;

	recents_make(recents_of(newest), newest->room_id)->filling = true;
	newest->range.after = after;
	repo_message_page(request->svc->db, request->req->task, newest->room_id, request->req->task->who.user_id,
	    &newest->range, on_newest, newest);
}

static void on_newest(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct newest *newest = arg;
	struct recents *recents = recents_of(newest);
	struct recent *recent = recents_find(recents, newest->room_id);

	if (recent != NULL)
		recent->filling = false;
	if (err != NULL) {
		if (recent != NULL && !recent->filled)
			recents_drop(recents, recent);
		request_fail(newest->request, err);
		return;
	}
	if (newest->range.after >= 0) {
		if (recent != NULL && recent->mark.last_seq == newest->range.after &&
		    recents_append(recents, recent, list, bytes_max(newest)) &&
		    newest_reply(newest, recent, SHM_M_page_hits))
			return;
		newest_read(newest, -1);
		return;
	}
	if (recent != NULL && recent_is_newer(recent, &list->mark)) {	/* a later reading was faster */
		shm_count(newest->request->svc->shm, SHM_M_page_misses, 1);
		on_page(newest->request, list, NULL);
		return;
	}
	recent = recents_set(recents, newest->room_id, list, newest->range.limit, bytes_max(newest));
	if (recent == NULL || !newest_reply(newest, recent, SHM_M_page_misses)) {
		shm_count(newest->request->svc->shm, SHM_M_page_misses, 1);
		on_page(newest->request, list, NULL);
	}
}

static void newest_ask(struct newest *newest, const struct recent *recent);

static void on_mark(void *arg, const struct room_marked *marked, const struct pl_err *err)
{
	struct newest *newest = arg;
	struct recent *recent = recents_find(recents_of(newest), newest->room_id);
	enum recent_state state = RECENT_STALE;

	if (err != NULL) {
		request_fail(newest->request, err);
		return;
	}
	if (recent != NULL)
		state = recent_state(recent, marked, newest->role_ids, newest->role_count);
	if (state == RECENT_EXACT && newest_reply(newest, recent, SHM_M_page_hits))
		return;
	/* the reading was sent before this question is, and is usually done before it is answered */
	if (recent != NULL && recent->filling && newest->tries++ < NEWEST_TRIES)
		newest_ask(newest, recent);
	else
		newest_read(newest, state == RECENT_BEHIND ? recent->mark.last_seq : -1);
}

static void newest_ask(struct newest *newest, const struct recent *recent)
{
	struct request *request = newest->request;

	newest->role_count = recent->role_count;
	memcpy(newest->role_ids, recent->role_ids, sizeof(newest->role_ids));
	repo_room_mark(request->svc->db, request->req->task, newest->room_id, request->req->task->who.user_id,
	    newest->role_ids, newest->role_count, on_mark, newest);
}

static void newest_start(struct request *request, int64_t room_id, const struct message_range *range)
{
	struct newest *newest = pl_alloc(request->req->task->pool, sizeof(*newest));
	const struct recent *recent = recents_find(request->svc->recents, room_id);

	*newest = (struct newest){ .request = request, .room_id = room_id, .range = *range };
	if (recent != NULL)
		newest_ask(newest, recent);
	else
		newest_read(newest, -1);
}

/* Which page of these messages of the room is asked for; false: it was refused. */
static bool read_range(struct request *request, enum page_of of, int64_t *room_r, struct message_range *range_r)
{
	const struct messages_query *q = request->query;
	struct pl_err err = { 0 };

	*range_r = (struct message_range){ .after = q->after == SHAPE_NONE ? -1 : q->after,
		.before = q->before == SHAPE_NONE ? 0 : q->before, .limit = messages_limit(q),
		.offset = q->offset == SHAPE_NONE ? 0 : (int)q->offset, .most = INT32_MAX, .bytes = DB_PAGE_BYTES,
		.of = of };
	if (!request_id(request, 0, room_r))
		return false;
	if (q->after != SHAPE_NONE && q->before != SHAPE_NONE) {
		pl_err_field(&err, request->req->task->pool, "query.before", "value_error",
		    "must not be given together with after");
		request_fail(request, &err);
		return false;
	}
	return true;
}

static void reply_page(struct request *request, int64_t room, const struct message_range *range)
{
	repo_message_page(request->svc->db, request->req->task, room, request->req->task->who.user_id, range, on_page,
	    request);
}

void api_messages(struct request *request)
{
	struct message_range range;
	int64_t room;

	if (!read_range(request, PAGE_OF_ALL, &room, &range))
		return;
	if (range.after < 0 && range.before == 0 && range.offset == 0 && request->req->config->s.page_memory > 0)
		newest_start(request, room, &range);
	else
		reply_page(request, room, &range);
}

void api_pins(struct request *request)
{
	struct message_range range;
	int64_t room;

	if (read_range(request, PAGE_OF_PINNED, &room, &range))
		reply_page(request, room, &range);
}

static void reply_sent(struct request *request, const struct message *message, bool duplicate)
{
	const struct message_in *in = request->in;
	/* a repeated Idempotency-Key gets the first answer */
	bool shown = duplicate && (request->idem == NULL || in->client_id.ptr != NULL);
	struct message_out out;

	message_shape(&out, message, request->req->task->pool);
	if (shown)
		out.duplicate = 1;
	else if (duplicate)
		req_header_add(request->req, "Idempotent-Replayed", "true");
	request_location(
	    request, "/api/rooms/%lld/messages/%lld", (long long)message->room_id, (long long)message->seq);
	request_reply_status(request, shown ? 200 : 201, &shape_message_out, &out);
}

static void on_duplicate(void *arg, const struct message_list *list, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else if (list->count == 0)
		request_fail_code(arg, PL_E_NOT_FOUND);
	else
		reply_sent(arg, &list->rows[0], true);
}

/* A message that was sent before is read, because its text may have changed. Its author may have left the room. */
static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	struct message_range one = { .after = err == NULL ? sent->message.seq - 1 : 0, .limit = 1, .most = INT32_MAX,
		.bytes = DB_PAGE_BYTES };
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else if (sent->duplicate)
		repo_message_page(request->svc->db, request->req->task, sent->message.room_id, 0, &one, on_duplicate,
		    request);
	else
		reply_sent(request, &sent->message, false);
}

void api_message_send(struct request *request)
{
	const struct message_in *in = request->in;
	struct chat_send send = { .content = in->content, .client_id = in->client_id,
		.reply_to = in->reply_to == SHAPE_NONE ? 0 : in->reply_to };

	if (send.client_id.ptr == NULL && request->idem != NULL)
		send.client_id = pl_str(request->req->task->once->id);
	if (request_id(request, 0, &send.room_id))
		chat_send(request->svc, request->req->config, request->req->task, &send, on_sent, request);
}

/* SPDX-License-Identifier: ISC */
/* Routes of messages: reading the history, and sending. */
#include "api/http/request.h"
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

void api_messages(struct request *request)
{
	const struct messages_query *q = request->query;
	struct message_range range = { .after = q->after == SHAPE_NONE ? -1 : q->after,
		.before = q->before == SHAPE_NONE ? 0 : q->before, .limit = messages_limit(q),
		.offset = q->offset == SHAPE_NONE ? 0 : (int)q->offset, .most = INT32_MAX, .bytes = DB_PAGE_BYTES };
	struct pl_err err = { 0 };
	int64_t room;

	if (!request_id(request, 0, &room))
		return;
	if (q->after != SHAPE_NONE && q->before != SHAPE_NONE) {
		pl_err_field(&err, request->req->task->pool, "query.before", "value_error",
		    "must not be given together with after");
		request_fail(request, &err);
		return;
	}
	repo_message_page(
	    request->svc->db, request->req->task, room, request->req->task->who.user_id, &range, on_page, request);
}

static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	struct request *request = arg;
	const struct message_in *in = request->in;
	/* a repeated Idempotency-Key gets the first reply */
	bool duplicate = err == NULL && sent->duplicate && (request->idem == NULL || in->client_id.ptr != NULL);
	struct message_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	message_shape(&out, &sent->message, request->req->task->pool);
	if (duplicate)
		out.duplicate = 1;
	request_location(request, "/api/rooms/%lld/messages?after=%lld&limit=1", (long long)sent->message.room_id,
	    (long long)sent->message.seq - 1);
	request_reply_status(request, duplicate ? 200 : 201, &shape_message_out, &out);
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

/* SPDX-License-Identifier: ISC */
/*
 * Routes of messages: history and sending.
 */
#include "api/http/call.h"
#include "api/room_shape.h"
#include "svc/room/chat.h"

static void on_page(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	const struct messages_query *q = call->query;
	struct message_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		message_shape(&items[i], &list->rows[i], call->req->task->pool);
	if (list->more && q->after != SHAPE_NONE)
		call_link_next(call, "after=%lld&limit=%d", (long long)items[list->count - 1].seq, list->count);
	else if (list->more)
		call_link_next(call, "before=%lld&limit=%d", (long long)items[0].seq, list->count);
	call_reply_list(call, &shape_message_out, items, list->count);
}

void api_messages(struct call *call)
{
	const struct messages_query *q = call->query;
	struct pl_err err = { 0 };
	int64_t room;

	if (!call_id(call, 0, &room))
		return;
	if (q->after != SHAPE_NONE && q->before != SHAPE_NONE) {
		pl_err_field(&err, call->req->task->pool, "query.before", "value_error",
		    "must not be given together with after");
		call_fail(call, &err);
		return;
	}
	repo_message_page(call->svc->db, call->req->task, room, call->req->task->who.user_id,
	    q->after == SHAPE_NONE ? -1 : q->after, q->before == SHAPE_NONE ? 0 : q->before,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit,
	    q->offset == SHAPE_NONE ? 0 : (int)q->offset, INT32_MAX, on_page, call);
}

static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	struct call *call = arg;
	const struct message_in *in = call->in;
	/* whoever repeats an Idempotency-Key gets the first answer */
	bool duplicate = err == NULL && sent->duplicate && (call->idem == NULL || in->client_id.ptr != NULL);
	struct message_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	message_shape(&out, &sent->message, call->req->task->pool);
	if (duplicate)
		out.duplicate = 1;
	call_location(call, "/api/rooms/%lld/messages?after=%lld&limit=1", (long long)sent->message.room_id,
	    (long long)sent->message.seq - 1);
	call_reply_status(call, duplicate ? 200 : 201, &shape_message_out, &out);
}

void api_message_send(struct call *call)
{
	const struct message_in *in = call->in;
	struct chat_send send = { .content = in->content, .client_id = in->client_id,
		.reply_to = in->reply_to == SHAPE_NONE ? 0 : in->reply_to };

	if (send.client_id.ptr == NULL && call->idem != NULL)
		send.client_id = pl_str(call->req->task->once->id);
	if (call_id(call, 0, &send.room_id))
		chat_send(call->svc, call->req->config, call->req->task, &send, on_sent, call);
}

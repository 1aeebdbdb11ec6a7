/* SPDX-License-Identifier: ISC */
/*
 * POST /api/chat: one message, one answer; whole, or as Server-Sent Events for who accepts text/event-stream.
 */
#include <ctype.h>

#include "api/session_shape.h"

struct chat { struct call *call; struct pl_buf event; bool stream, started; };

static void start(struct chat *chat)
{
	if (!chat->started)
		req_stream_start(chat->call->req, 200, "text/event-stream");
	chat->started = true;
}

/* One event; its data is one line of JSON. */
static void send_event(struct chat *chat, const char *name, struct pl_str json)
{
	struct req *req = chat->call->req;

	start(chat);
	pl_buf_reset(&chat->event);
	pl_buf_addf(&chat->event, "event: %s\ndata: %.*s\n\n", name, PL_FMT(json));
	(void)req_stream_chunk(req, pl_buf_str(&chat->event)); /* a client that left does not stop the answer */
}

static void on_delta(void *arg, struct pl_str text)
{
	struct chat *chat = arg;
	struct pl_pool *pool;
	struct pl_buf buf;
	struct pl_jw w;

	if (text.len == 0) {	/* accepted: the client and its proxies get the header before the model's first word */
		start(chat);
		return;
	}
	pool = pl_pool_new(0);
	buf = PL_BUF(pool);
	w = PL_JW(&buf);
	pl_jw_object(&w);
	pl_jw_kstr(&w, "delta", text);
	pl_jw_end_object(&w);
	send_event(chat, "delta", pl_buf_str(&buf));
	pl_pool_free(&pool);
}

static void stream_error(struct chat *chat, const struct pl_err *err)
{
	struct pl_buf buf = PL_BUF(chat->call->req->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "detail", pl_err_text(err));
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	pl_jw_kbool(&w, "temporary", pl_err_temporary(err));
	pl_jw_kcstr(&w, "request_id", chat->call->req->task->request_id);
	pl_jw_end_object(&w);
	send_event(chat, "error", pl_buf_str(&buf));
	req_stream_end(chat->call->req);
}

static void on_answer(void *arg, const struct session_reply *reply, const struct pl_err *err)
{
	struct chat *chat = arg;
	struct call *call = chat->call;
	struct chat_out out;

	if (err != NULL) {
		if (chat->started)
			stream_error(chat, err);
		else
			call_fail(call, err);
		return;
	}
	out = (struct chat_out){ .response = reply->text, .message = reply->text, .session_id = reply->session_id,
		.data_collected = reply->collected, .is_complete = reply->is_complete,
		.citations = reply->citations, .knowledge = reply->knowledge,
		.state = reply->stopped ? PL_STR("cancelled") : PL_STR("done"), .model = reply->model,
		.usage = reply->usage, .reasoning = reply->reasoning };
	if (!chat->stream) {
		call_reply(call, &shape_chat_out, &out);
		return;
	}
	send_event(chat, "done", shape_json(&shape_chat_out, &out, call->req->task->pool));
	req_stream_end(call->req);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct chat *chat = arg;
	struct call *call = chat->call;
	const struct chat_in *in = call->in;

	if (err != NULL)
		call_fail(call, err);
	else
		session_talk(call->svc, call->req->config, call->req->task, session, in->message,
		    chat->stream ? on_delta : NULL, on_answer, chat);
}

/* One session, one key, however its id is written. */
static struct pl_str limit_key(struct call *call, struct pl_str id)
{
	struct pl_str key = pl_str_dup(call->req->task->pool, id);

	for (size_t i = 0; i < key.len; i++)
		((char *)(uintptr_t)key.ptr)[i] = (char)tolower((unsigned char)key.ptr[i]);
	return key;
}

void api_chat(struct call *call)
{
	const struct chat_in *in = call->in;
	struct pl_str accept = req_header(call->req, "Accept");
	struct session_want any = { .any = true };
	struct chat *chat = pl_alloc(call->req->task->pool, sizeof(*chat));

	*chat = (struct chat){ .call = call, .event = PL_BUF(call->req->task->pool),
		.stream = accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/event-stream", 17) != NULL };
	if (!session_admits(call) || !call_limits(call, LIMIT_ASK, limit_key(call, in->session_id)))
		return;
	if (in->session_id.ptr != NULL)
		repo_session_get(call->svc->db, call->req->task, in->session_id, session_caller_of(call), on_session,
		    chat);
	else if (session_guest_limit(call))
		session_make(call->svc, call->req->config, call->req->task, &any, on_session, chat);
}

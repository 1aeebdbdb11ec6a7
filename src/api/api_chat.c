/* SPDX-License-Identifier: ISC */
/*
 * POST /api/chat: one message, one answer; as a whole, or as Server-Sent Events for clients that accept
 * text/event-stream. POST /api/chat/stream: the same as events without names, for older front ends.
 */
#include <ctype.h>

#include "api/session_shape.h"

enum chat_form { CHAT_WHOLE, CHAT_EVENTS, CHAT_UNNAMED };
struct chat { struct request *request; struct pl_buf event; enum chat_form form; bool started; };

static void start(struct chat *chat)
{
	if (!chat->started)
		req_stream_start(chat->request->req, 200, "text/event-stream");
	chat->started = true;
}

/* Sends an event, without a name if that is NULL. Its data is one line of JSON. */
static void send_event(struct chat *chat, const char *name, struct pl_str json)
{
	struct req *req = chat->request->req;

	start(chat);
	pl_buf_reset(&chat->event);
	if (name != NULL)
		pl_buf_addf(&chat->event, "event: %s\n", name);
	pl_buf_addf(&chat->event, "data: %.*s\n\n", PL_FMT(json));
	(void)req_stream_chunk(req, pl_buf_str(&chat->event)); /* if the client has left, the answer continues */
}

static void send_unnamed(struct chat *chat, const struct chat_event_out *out, struct pl_pool *pool)
{
	send_event(chat, NULL, shape_json(&shape_chat_event_out, out, pool));
}

static void send_delta(struct chat *chat, struct pl_str text, struct pl_pool *pool)
{
	struct chat_event_out out;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	if (chat->form == CHAT_UNNAMED) {
		shape_clear(&shape_chat_event_out, &out);
		out.type = PL_STR("chunk");
		out.content = text;
		send_unnamed(chat, &out, pool);
		return;
	}
	pl_jw_object(&w);
	pl_jw_kstr(&w, "delta", text);
	pl_jw_end_object(&w);
	send_event(chat, "delta", pl_buf_str(&buf));
}

static void on_delta(void *arg, struct pl_str text)
{
	struct chat *chat = arg;
	struct pl_pool *pool;

	if (text.len == 0) {	/* accepted: the client and its proxies get the header before the model's first word */
		start(chat);
		return;
	}
	pool = pl_pool_new(0);
	send_delta(chat, text, pool);
	pl_pool_free(&pool);
}

static void stream_error(struct chat *chat, const struct pl_err *err)
{
	struct pl_pool *pool = chat->request->req->task->pool;
	struct chat_event_out out;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	if (chat->form == CHAT_UNNAMED) {
		shape_clear(&shape_chat_event_out, &out);
		out.type = PL_STR("error");
		out.message = pl_str(pl_err_text(err));
		out.code = pl_str(pl_err_info(err->code)->code);
		send_unnamed(chat, &out, pool);
	} else {
		pl_jw_object(&w);
		pl_jw_kcstr(&w, "detail", pl_err_text(err));
		pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
		pl_jw_kbool(&w, "temporary", pl_err_temporary(err));
		pl_jw_kcstr(&w, "request_id", chat->request->req->task->request_id);
		pl_jw_end_object(&w);
		send_event(chat, "error", pl_buf_str(&buf));
	}
	req_stream_end(chat->request->req);
}

static void unnamed_done(struct chat *chat, const struct session_reply *reply)
{
	struct pl_pool *pool = chat->request->req->task->pool;
	struct chat_event_out out;

	if (reply->mailed) {
		shape_clear(&shape_chat_event_out, &out);
		out.type = PL_STR("email_sent");
		out.message = PL_STR("Your details were sent by e-mail.");
		send_unnamed(chat, &out, pool);
	}
	shape_clear(&shape_chat_event_out, &out);
	out.type = PL_STR("done");
	out.data_collected = reply->collected;
	out.is_complete = reply->is_complete;
	out.session_id = reply->session_id;
	send_unnamed(chat, &out, pool);
	req_stream_end(chat->request->req);
}

static void on_answer(void *arg, const struct session_reply *reply, const struct pl_err *err)
{
	struct chat *chat = arg;
	struct request *request = chat->request;
	struct chat_out out;

	if (err != NULL) {
		if (chat->started)
			stream_error(chat, err);
		else
			request_fail(request, err);
		return;
	}
	if (chat->form == CHAT_UNNAMED) {
		unnamed_done(chat, reply);
		return;
	}
	out = (struct chat_out){ .response = reply->text, .message = reply->text, .session_id = reply->session_id,
		.data_collected = reply->collected, .is_complete = reply->is_complete,
		.citations = reply->citations, .knowledge = reply->knowledge,
		.state = reply->stopped ? PL_STR("cancelled") : PL_STR("done"), .model = reply->model,
		.usage = reply->usage, .reasoning = reply->reasoning };
	if (chat->form == CHAT_WHOLE) {
		request_reply(request, &shape_chat_out, &out);
		return;
	}
	send_event(chat, "done", shape_json(&shape_chat_out, &out, request->req->task->pool));
	req_stream_end(request->req);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct chat *chat = arg;
	struct request *request = chat->request;
	const struct chat_in *in = request->in;

	if (err != NULL)
		request_fail(request, err);
	else
		session_talk(request->svc, request->req->config, request->req->task, session, in->message,
		    chat->form != CHAT_WHOLE ? on_delta : NULL, on_answer, chat);
}

/* The same key for the same session, however its id is written. */
static struct pl_str limit_key(struct request *request, struct pl_str id)
{
	struct pl_str key = pl_str_dup(request->req->task->pool, id);

	for (size_t i = 0; i < key.len; i++)
		((char *)(uintptr_t)key.ptr)[i] = (char)tolower((unsigned char)key.ptr[i]);
	return key;
}

static void take_message(struct request *request, enum chat_form form)
{
	const struct chat_in *in = request->in;
	struct session_want any = { .any = true };
	struct chat *chat = pl_alloc(request->req->task->pool, sizeof(*chat));

	*chat = (struct chat){ .request = request, .event = PL_BUF(request->req->task->pool), .form = form };
	if (!session_admits(request) || !request_limits(request, LIMIT_ASK, limit_key(request, in->session_id)))
		return;
	if (in->session_id.ptr != NULL)
		repo_session_get(
		    request->svc->db, request->req->task, in->session_id, session_caller_of(request), on_session, chat);
	else if (session_guest_limit(request))
		session_make(request->svc, request->req->config, request->req->task, &any, on_session, chat);
}

void api_chat(struct request *request)
{
	struct pl_str accept = req_header(request->req, "Accept");
	bool events = accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/event-stream", 17) != NULL;

	take_message(request, events ? CHAT_EVENTS : CHAT_WHOLE);
}

void api_chat_stream(struct request *request)
{
	take_message(request, CHAT_UNNAMED);
}

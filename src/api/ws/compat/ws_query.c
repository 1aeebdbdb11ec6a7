/* SPDX-License-Identifier: ISC */
/*
 * /ws/chat/{username or me} without parlour.v1: questions in words. Each {"type":"query"} gets progress frames and one
 * {"type":"query_response"} or error, in order. A question in `message` gets one {"type":"response"}.
 * Frames: parlour-ws(7), "Compatible sockets".
 *
 *   opened -> [auth, or setting anonymous] -> own name? -> greet -> next, one at a time: limits -> query_ask ->
 *   on_stage* -> on_answer -> next
 */
#include "api/query_shape.h"
#include "api/ws/ws_wait.h"
#include "clock.h"

struct ws_questions {
	char name[sizeof(((struct pl_caller *)NULL)->name)];	/* name in the path; "": no user can have it */
	bool open, busy;		/* busy: a question is being answered; its frame is held */
	struct ws_wait wait;
};

static void next_question(struct ws_client *client);

static struct ws_questions *questions_of(const struct ws_client *client)
{
	return client->state;
}

/* ---- frames to the client ---- */

static struct pl_jw begin(struct pl_buf *buf, const char *type)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	return w;
}

static void end(struct ws_client *client, struct pl_jw *w, struct pl_buf *buf, struct pl_str id)
{
	if (id.ptr != NULL)
		pl_jw_kstr(w, "request_id", id);
	pl_jw_end_object(w);
	ws_client_send(client, buf);
}

static void query_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "error");

	pl_jw_kstr(&w, "message", query_reason(pool, err, "query: "));
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	if (err->retry_after_s > 0)
		pl_jw_ki64(&w, "retry_after", err->retry_after_s);
	end(client, &w, &buf, id);
	pl_pool_free(&pool);
}

/* The question was in `message`. */
static bool is_plain(const struct ws_frame *q)
{
	return ((const struct in_query_query *)q->in)->query.ptr == NULL;
}

static void on_stage(void *arg, enum query_stage stage)
{
	struct ws_frame *q = arg;
	struct pl_buf buf = PL_BUF(q->task->pool);
	struct pl_jw w;

	if (is_plain(q))
		return;
	w = begin(&buf, "progress");
	pl_jw_kcstr(&w, "stage", query_stages[stage]);
	end(q->client, &w, &buf, q->id);
}

/*
 * Writes the reply of POST /api/query with a type. Its `id` is the answer's; the client's id is returned as request_id.
 */
static void send_answer(struct ws_frame *q, const struct query_answer *answer)
{
	struct query_out out = query_shape(answer);
	struct pl_str body = shape_json(&shape_query_out, &out, q->task->pool);
	struct pl_buf buf = PL_BUF(q->task->pool), head = PL_BUF(q->task->pool);
	struct pl_jw w = begin(&head, "query_response");

	if (q->id.ptr != NULL)
		pl_jw_kstr(&w, "request_id", q->id);
	pl_buf_addstr(&buf, pl_buf_str(&head));
	pl_buf_adds(&buf, ",");
	pl_buf_addstr(&buf, pl_strn(body.ptr + 1, body.len - 1));
	ws_client_send(q->client, &buf);
}

static void send_plain(struct ws_frame *q, const struct query_answer *answer)
{
	struct query_out out = query_shape(answer);
	struct pl_buf buf = PL_BUF(q->task->pool);
	struct pl_jw w = begin(&buf, "response");

	pl_jw_kstr(&w, "query_id", answer->id);
	pl_jw_kstr(&w, "message", answer->summary);
	pl_jw_kraw(&w, "data", shape_json(&shape_query_out, &out, q->task->pool));
	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	end(q->client, &w, &buf, q->id);
}

/* ---- opening ---- */

static void query_made(struct ws_client *client, const struct request *request)
{
	struct pl_str name = request->param[0];

	if (name.len < sizeof(questions_of(client)->name))
		memcpy(questions_of(client)->name, name.ptr, name.len);
}

/*
 * Names are compared as at the login: without regard to case. Without a token, any name is accepted and gets answers
 * for everybody; a later token must be of that name.
 */
static void query_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_str name = pl_str(questions_of(client)->name);
	struct pl_pool *pool;
	struct pl_buf buf;
	struct pl_jw w;

	if (client->authed && !pl_str_is(name, "me") && !pl_str_ieq(name, pl_str(client->who.name))) {
		ws_client_close(client, PL_E_FORBIDDEN);
		return;
	}
	questions_of(client)->open = true;
	pool = pl_pool_new(0);
	buf = PL_BUF(pool);
	w = begin(&buf, "system");
	pl_jw_kcstr(&w, "message",
	    pl_sprintf(pool, "You are %s. Ask about the data in words, for example: messages per day, last 7 days.",
	    client->authed ? client->who.name : "not logged in"));
	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	end(client, &w, &buf, PL_STR_NONE);
	pl_pool_free(&pool);
}

/* ---- answering ---- */

static void question_end(struct ws_frame *q)
{
	questions_of(q->client)->busy = false;
	next_question(q->client);
	ws_frame_end(q);
}

static void on_answer(void *arg, const struct query_answer *answer, const struct pl_err *err)
{
	struct ws_frame *q = arg;
	struct query_answer refused;

	if (err != NULL && answer != NULL && is_plain(q)) {
		refused = *answer;
		query_compose_refusal(q->task->pool, err, q->task->who.user_id, &refused);
		send_plain(q, &refused);
	} else if (err != NULL) {
		query_error(q->client, q->id, err);
	} else if (is_plain(q)) {
		send_plain(q, answer);
	} else {
		send_answer(q, answer);
	}
	question_end(q);
}

/* Takes the next waiting question, if there is one and none is being answered. */
static void next_question(struct ws_client *client)
{
	struct ws_questions *s = client->state;
	const struct config *config = svc_config(client->svc);
	struct ws_frame *q;

	while (!s->busy && (q = ws_wait_pop(&s->wait)) != NULL) {
		struct pl_err err = { 0 };

		if (!limits_take(client->svc, config, LIMIT_ASK, &client->who, PL_STR_NONE, NULL, &err)) {
			query_error(client, q->id, &err);
			ws_frame_end(q);
			continue;
		}
		s->busy = true;
		q->task->who = client->who;
		q->task->deadline_ns = pl_now_ns() + 10 * PL_NS_PER_S;	/* it may have waited longer */
		query_ask(client->svc, config, q->task, q->text, PL_STR_NONE, on_stage, on_answer, q);
	}
}

void ws_on_query(struct ws_frame *f)
{
	const struct in_query_query *in = f->in;
	struct ws_questions *s = questions_of(f->client);
	struct pl_err err = { 0 };

	if (!s->open)
		return;		/* the socket is closing */
	f->text = in->query.ptr != NULL ? in->query : in->message;
	if (f->text.ptr == NULL) {
		pl_err_set(&err, PL_E_INVALID, "query: is required");
		ws_frame_refuse(f, &err);
		return;
	}
	if (ws_wait_push(&s->wait, WS_WAIT_MAX, f)) {
		next_question(f->client);
		return;
	}
	pl_err_set(&err, PL_E_BUSY, NULL);
	ws_frame_refuse(f, &err);
}

void ws_on_query_ping(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = begin(&buf, "pong");

	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	end(f->client, &w, &buf, PL_STR_NONE);
}

/* The setting may have changed since the socket was opened. */
static bool query_lets_in(const struct ws_frame *f)
{
	return questions_of(f->client)->open && svc_anonymous(svc_config(f->client->svc), "query");
}

static void query_closed(struct ws_client *client)
{
	ws_wait_clear(&questions_of(client)->wait);
}

static const struct ws_dialect ws_query = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_query,
	.state_bytes = sizeof(struct ws_questions), .has_ids = true,
	.unknown = "This socket takes {\"type\":\"query\",\"query\"} and {\"type\":\"ping\"}.",
	.untyped = "Send {\"type\":\"query\",\"query\":\"...\"}.", .made = query_made, .ready = query_ready,
	.error = query_error, .lets_in = query_lets_in, .closed = query_closed, .anonymous = "query" };

void ws_open_query(struct request *request)
{
	ws_open_client(request, &ws_query);
}

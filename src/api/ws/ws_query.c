/* SPDX-License-Identifier: ISC */
/*
 * /ws/chat/{username or me} without parlour.v1: questions in words. Each {"type":"query"} gets progress frames and one
 * {"type":"query_response"} or error, in order. Frames: parlour-ws(7), "Compatible sockets".
 *
 *   opened -> [auth] -> own name? -> greet -> next, one at a time: limits -> query_ask -> on_stage* -> on_answer ->
 *   next
 */
#include "api/query_shape.h"
#include "api/ws/ws_client.h"
#include "clock.h"

#define WAITING_MAX 32
#define ID_BYTES 64

/* A question, in its task's pool; client and task are held while it is being answered. */
struct question { struct ws_client *client; struct pl_task *task; struct pl_str text, id; struct question *next; };

struct ws_questions {
	char name[sizeof(((struct pl_caller *)NULL)->name)];	/* of the path; "": no user can have it */
	bool open, busy;
	struct question *waiting;
};

static void next_question(struct ws_client *client);

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

/* The route says in `detail` which field breaks which rule; here it is one sentence. */
static struct pl_str error_text(struct pl_pool *pool, const struct pl_err *err)
{
	struct pl_buf *text = pl_alloc(pool, sizeof(*text));

	*text = PL_BUF(pool);
	for (const struct pl_field_err *f = err->fields; f != NULL; f = f->next)
		pl_buf_addf(text, "%squery: %s", text->len > 0 ? " " : "", f->msg);
	return text->len > 0 ? pl_buf_str(text) : pl_str(pl_err_text(err));
}

static void query_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "error");

	pl_jw_kstr(&w, "message", error_text(pool, err));
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	if (err->retry_after_s > 0)
		pl_jw_ki64(&w, "retry_after", err->retry_after_s);
	end(client, &w, &buf, id);
	pl_pool_free(&pool);
}

static void on_stage(void *arg, enum query_stage stage)
{
	struct question *q = arg;
	struct pl_buf buf = PL_BUF(q->task->pool);
	struct pl_jw w = begin(&buf, "progress");

	pl_jw_kcstr(&w, "stage", query_stages[stage]);
	end(q->client, &w, &buf, q->id);
}

/* The body of POST /api/query with a type in front; its `id` is the answer's, the client's own comes as request_id. */
static void send_answer(struct question *q, const struct query_answer *answer)
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

/* ---- opening ---- */

static void query_made(struct ws_client *client, const struct call *call)
{
	struct pl_str name = call->param[0];

	client->questions = pl_new(sizeof(*client->questions));
	if (name.len < sizeof(client->questions->name))
		memcpy(client->questions->name, name.ptr, name.len);
}

/* Names are told apart as at the login: without regard to case. */
static void query_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_str name = pl_str(client->questions->name);
	struct pl_pool *pool;
	struct pl_buf buf;
	struct pl_jw w;

	if (!pl_str_is(name, "me") && !pl_str_ieq(name, pl_str(client->who.name))) {
		ws_client_close(client, PL_E_FORBIDDEN);
		return;
	}
	client->questions->open = true;
	pool = pl_pool_new(0);
	buf = PL_BUF(pool);
	w = begin(&buf, "system");
	pl_jw_kcstr(&w, "message",
	    pl_sprintf(pool, "You are %s. Ask about the data in words, for example: messages per day, last 7 days.",
	    client->who.name));
	end(client, &w, &buf, PL_STR_NONE);
	pl_pool_free(&pool);
}

/* ---- answering ---- */

static void question_end(struct question *q)
{
	struct ws_client *client = q->client;
	struct pl_task *task = q->task;

	client->questions->busy = false;
	next_question(client);
	ws_client_release(&client);
	pl_task_release(&task);
}

static void on_answer(void *arg, const struct query_answer *answer, const struct pl_err *err)
{
	struct question *q = arg;

	if (err != NULL)
		query_error(q->client, q->id, err);
	else
		send_answer(q, answer);
	question_end(q);
}

/* Takes the next of the waiting questions, if there is one and none is being answered. */
static void next_question(struct ws_client *client)
{
	struct ws_questions *s = client->questions;
	const struct config *config = svc_config(client->svc);
	struct question *q;

	while (!s->busy && (q = s->waiting) != NULL) {
		struct pl_task *task = q->task;
		struct pl_err err = { 0 };

		s->waiting = q->next;
		if (!limits_take(client->svc, config, LIMIT_ASK, &client->who, PL_STR_NONE, NULL, &err)) {
			query_error(client, q->id, &err);
			pl_task_release(&task);
			continue;
		}
		s->busy = true;
		ws_client_hold(client);
		task->who = client->who;
		task->deadline_ns = pl_now_ns() + 10 * PL_NS_PER_S;	/* it may have waited longer */
		query_ask(client->svc, config, task, q->text, on_stage, on_answer, q);
	}
}

static bool enqueue(struct ws_client *client, struct pl_task *task, struct pl_str text, struct pl_str id)
{
	struct question **at = &client->questions->waiting, *q = pl_alloc(task->pool, sizeof(*q));
	int count = 0;

	for (; *at != NULL; at = &(*at)->next)
		count++;
	if (count >= WAITING_MAX)
		return false;
	*q = (struct question){ .client = client, .task = pl_task_hold(task), .text = text, .id = id };
	*at = q;
	return true;
}

static void on_query(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	const struct pl_jval *id_value = pl_json_get(frame, "id");
	struct pl_str id = pl_json_str(id_value);
	const struct query_in *in;
	struct pl_err err = { 0 };

	if (id.len > ID_BYTES || (id.ptr == NULL && id_value != NULL && id_value->type != PL_J_NULL)) {
		pl_err_set(&err, PL_E_INVALID, "id must be a string of at most 64 bytes");
		ws_client_refuse(client, PL_STR_NONE, &err);
		return;
	}
	/* the rules of the route's body, by the same table */
	in = shape_read_json(&shape_query_in, task->pool, frame, &err);
	if (in != NULL && enqueue(client, task, in->query, id)) {
		next_question(client);
		return;
	}
	if (in != NULL)
		pl_err_set(&err, PL_E_BUSY, NULL);
	ws_client_refuse(client, id, &err);
}

static void on_ping(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_buf buf = PL_BUF(task->pool);
	struct pl_jw w = begin(&buf, "pong");

	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	end(client, &w, &buf, PL_STR_NONE);
}

static void query_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	const struct pl_jval *type_value = pl_json_get(frame, "type");
	struct pl_str type = pl_json_str(type_value);
	struct pl_err err = { 0 };

	if (pl_str_is(type, "auth")) {
		ws_compat_auth(client, task, frame);
		return;
	}
	if (!client->authed)
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
	else if (!client->questions->open)
		return;		/* it is being closed */
	else if (pl_str_is(type, "query")) {
		on_query(client, task, frame);
		return;
	} else if (pl_str_is(type, "ping")) {
		if (ws_client_counts(client, PL_STR_NONE))
			on_ping(client, task, frame);
		return;
	} else if (type.ptr == NULL)
		pl_err_set(&err, PL_E_BAD_FRAME, "Send {\"type\":\"query\",\"query\":\"...\"}.");
	else
		pl_err_set(&err, PL_E_UNKNOWN_TYPE,
		    "This socket takes {\"type\":\"query\",\"query\"} and {\"type\":\"ping\"}.");
	ws_client_refuse(client, PL_STR_NONE, &err);
}

static void query_closed(struct ws_client *client)
{
	struct ws_questions *s = client->questions;
	struct question *q;

	while ((q = s->waiting) != NULL) {
		struct pl_task *task = q->task;

		s->waiting = q->next;
		pl_task_release(&task);
	}
}

static void query_ended(struct ws_client *client, int64_t room_id)
{
	/* it listens to no room */
}

static const struct ws_dialect ws_query = { .render = HUB_ROOM_COMPAT, .made = query_made, .ready = query_ready,
	.frame = query_frame, .error = query_error, .ended = query_ended, .closed = query_closed };

void ws_open_query(struct call *call)
{
	ws_open_client(call, &ws_query, 0);
}

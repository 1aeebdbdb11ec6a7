/* SPDX-License-Identifier: ISC */
/*
 * /ws/{session_id}: the socket of the chatbot. The server begins with a greeting. Each {"message"} gets one answer, in
 * order. Frames: parlour-ws(7), "Compatible sockets".
 *
 * After start_session, a socket uses the frames of ws_agent.h; the greeting was sent before.
 *
 *   opened -> whose session is it? -> [wait for auth] -> open_session -> [session_make] -> greet -> next, one at a time
 */
#include "api/ws/compat/ws_agent.h"
#include "api/ws/ws_wait.h"
#include "clock.h"
#include "leaf.h"
#include "svc/session/session.h"

#define KEY_MAX 64		/* characters */

struct ws_session {
	char key[4 * KEY_MAX + 1], id[PL_UUID_LEN + 1];	/* as in the path; replaced by the id of the session when it
							 * is open */
	char socket[PL_UUID_LEN + 1];			/* name of this socket in the database */
	bool opening, open, busy;
	bool made, used;				/* made: the session was created for this socket; used: it
							 * has a message */
	struct ws_wait wait;				/* waiting messages; an absent text means start_session */
	struct ws_agent agent;
};

/* A step that outlives its frame, so it holds client and task. */
struct step { struct ws_client *client; struct pl_task *task; struct pl_str message; struct session session; };

static void next_message(struct ws_client *client);

static struct ws_session *session_of(const struct ws_client *client)
{
	return client->state;
}

static struct step *step_new(struct ws_client *client, struct pl_task *task)
{
	struct step *step = pl_alloc(task->pool, sizeof(*step));

	*step = (struct step){ .client = ws_client_hold(client), .task = pl_task_hold(task) };
	return step;
}

static void step_end(struct step *step)
{
	struct ws_client *client = step->client;
	struct pl_task *task = step->task;

	ws_client_release(&client);
	pl_task_release(&task);
}

static struct session_caller caller_of(const struct ws_client *client)
{
	return (struct session_caller){ .user_id = client->who.user_id, .guests = svc_config(client->svc)->s.guest };
}

static void send_message(struct ws_client *client, struct pl_str text, struct pl_str collected, bool complete,
    const char *id)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", "message");
	pl_jw_kstr(&w, "message", text);
	pl_jw_kraw(&w, "data_collected", collected);
	pl_jw_kbool(&w, "is_complete", complete);
	if (id != NULL)
		pl_jw_kcstr(&w, "session_id", id);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

/* ---- opening ---- */

static void on_left(void *arg, const bool *done, const struct pl_err *err)
{
	step_end(arg);
}

/*
 * A page that is loaded often must not use up the sessions of its user. A session without messages ends with its
 * socket; a guest's is no longer counted unless the guest returns.
 */
static void leave(struct ws_client *client)
{
	const struct ws_session *s = client->state;
	struct pl_task *task;

	if (!(s->made && !s->used) && client->who.user_id != 0)
		return;
	task = ws_client_task(client);
	session_leave(client->svc, task, pl_str(s->id), pl_str(s->socket), s->made && !s->used, on_left,
	    step_new(client, task));
	pl_task_release(&task);
}

static void greet(struct ws_client *client, struct pl_task *task, const struct session *session)
{
	struct ws_session *s = client->state;

	s->open = true;
	memcpy(s->id, session->id.ptr, PL_UUID_LEN);
	if (client->conn == NULL) {
		leave(client);
		return;
	}
	send_message(client, session_greeting(svc_config(client->svc), task->pool, session),
	    session_collected(task->pool, session), session->is_complete, s->id);
	next_message(client);
}

static void open_failed(struct ws_client *client, const struct pl_err *err)
{
	ws_client_error(client, PL_STR_NONE, err);
	ws_client_close(client, err->code);
}

static void on_made(void *arg, const struct session *session, const struct pl_err *err)
{
	struct step *step = arg;

	session_of(step->client)->made = err == NULL;
	if (err != NULL)
		open_failed(step->client, err);
	else
		greet(step->client, step->task, session);
	step_end(step);
}

static void make(struct step *step)
{
	struct ws_client *client = step->client;
	const struct config *config = svc_config(client->svc);
	struct session_want any = { .any = true };
	struct pl_err err = { 0 };

	if (client->who.user_id == 0 &&
	    !limits_take(client->svc, config, LIMIT_GUEST, &client->who, PL_STR_NONE, NULL, &err)) {
		open_failed(client, &err);
		step_end(step);
	} else {
		session_make(client->svc, config, step->task, &any, on_made, step);
	}
}

static void on_entered(void *arg, const bool *done, const struct pl_err *err)
{
	struct step *step = arg;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		make(step);
		return;
	}
	if (err != NULL)
		open_failed(step->client, err);
	else
		greet(step->client, step->task, &step->session);
	step_end(step);
}

static void on_found(void *arg, const struct session *session, const struct pl_err *err)
{
	struct step *step = arg;

	if (err == NULL && session->state == SESSION_OPEN && session->kind != SESSION_USAGE) {
		step->session = *session;
		repo_session_enter(step->client->svc->db, step->task, session->id,
		    pl_str(session_of(step->client)->socket), on_entered, step);
	} else if (err == NULL || err->code == PL_E_NOT_FOUND) {
		make(step);
	} else {
		open_failed(step->client, err);
		step_end(step);
	}
}

static void open_session(struct ws_client *client, struct pl_task *task)
{
	struct ws_session *s = client->state;

	if (s->open || s->opening)
		return;
	s->opening = true;
	/* an external id never opens a socket */
	repo_session_get(client->svc->db, task, pl_uuid_ok(pl_str(s->key)) ? pl_str(s->key) : PL_STR("-"),
	    caller_of(client), on_found, step_new(client, task));
}

static void session_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_task *task = ws_client_task(client);

	open_session(client, task);
	pl_task_release(&task);
}

static void on_owned(void *arg, const bool *owned, const struct pl_err *err)
{
	struct step *step = arg;
	struct ws_client *client = step->client;

	if (client->conn != NULL && !client->authed) {
		if (err != NULL)
			open_failed(client, err);
		else if (*owned)
			ws_client_wait_auth(client); /* a session of a user: the client may still send a token */
		else
			open_session(client, step->task);
	}
	step_end(step);
}

/* A guest, if guests are allowed. */
static bool session_guest(struct ws_client *client)
{
	struct pl_task *task;

	if (!svc_config(client->svc)->s.guest)
		return false;
	task = ws_client_task(client);
	repo_session_owned(client->svc->db, task, pl_str(session_of(client)->key), on_owned, step_new(client, task));
	pl_task_release(&task);
	return true;
}

/* ---- messages ---- */

static void talk_over(struct step *step, const struct pl_err *err)
{
	struct ws_client *client = step->client;
	struct ws_session *s = client->state;

	if (err != NULL)
		ws_client_error(client, PL_STR_NONE, err);
	if (s->agent.on && step->message.ptr != NULL)
		ws_agent_status(client, s->id, "idle");
	s->busy = false;
	next_message(client);
	step_end(step);
}

static void on_told(void *arg)
{
	talk_over(arg, NULL);
}

static void on_answer(void *arg, const struct session_reply *reply, const struct pl_err *err)
{
	struct step *step = arg;
	struct ws_session *s = session_of(step->client);

	if (err == NULL && s->agent.on) {
		ws_agent_tell(&s->agent, "session_update", on_told, step);
		return;
	}
	if (err == NULL)
		send_message(step->client, reply->text, reply->collected, reply->is_complete, NULL);
	talk_over(step, err);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct step *step = arg;

	if (err != NULL)
		talk_over(step, err);
	else
		session_talk(step->client->svc, svc_config(step->client->svc), step->task, session, step->message, NULL,
		    on_answer, step);
}

static void start_agent(struct ws_client *client, struct ws_frame *f)
{
	struct ws_session *s = client->state;

	s->busy = true;
	ws_agent_start(&s->agent, client, s->id, pl_json_get(f->json, "payload"));
	ws_agent_tell(&s->agent, "session_started", on_told, step_new(client, f->task));
}

/* Takes the next waiting message, if there is one and none is being answered. */
static void next_message(struct ws_client *client)
{
	struct ws_session *s = client->state;
	struct ws_frame *f;

	while (s->open && !s->busy && (f = ws_wait_pop(&s->wait)) != NULL) {
		struct pl_err err = { 0 };
		struct step *step;

		if (f->text.ptr == NULL) {
			start_agent(client, f);
		} else if (!limits_take(client->svc, svc_config(client->svc), LIMIT_ASK, &client->who, pl_str(s->id),
		    NULL, &err)) {
			ws_frame_fail(f, &err);
		} else {
			s->busy = s->used = true;
			step = step_new(client, f->task);
			step->message = f->text;
			if (s->agent.on)
				ws_agent_status(client, s->id, "thinking");
			f->task->who = client->who;
			f->task->deadline_ns = pl_now_ns() + 10 * PL_NS_PER_S; /* it may have waited longer */
			repo_session_get(client->svc->db, f->task, pl_str(s->id), caller_of(client), on_session, step);
		}
		ws_frame_end(f);
	}
}

_Static_assert(offsetof(struct in_session_bare, message) == offsetof(struct in_session_message, message),
    "one handler");

/* `field`: the name of the text in the client's frame. */
static void hear(struct ws_frame *f, struct pl_str text, const char *field)
{
	int64_t max = svc_config(f->client->svc)->s.max_content;
	struct pl_err err = { 0 };

	f->text = text;
	if (pl_str_trim(f->text).len == 0) {
		pl_err_set(&err, PL_E_INVALID, "%s must be a string that is not empty", field);
	} else if ((int64_t)f->text.len > max) {
		pl_err_set(&err, PL_E_TOO_LARGE, "%s may have at most %lld bytes", field, (long long)max);
	} else if (!ws_wait_push(&session_of(f->client)->wait, WS_WAIT_MAX, f)) {
		pl_err_set(&err, PL_E_BUSY, NULL);
	} else {
		next_message(f->client);
		return;
	}
	ws_frame_refuse(f, &err);
}

/* For frames with and without a type. */
void ws_on_session_message(struct ws_frame *f)
{
	const struct in_session_message *in = f->in;

	hear(f, in->message, "message");
}

void ws_on_session_send(struct ws_frame *f)
{
	hear(f, pl_json_str(pl_json_get(pl_json_get(f->json, "payload"), "content")), "payload.content");
}

void ws_on_session_start(struct ws_frame *f)
{
	struct pl_err err = { 0 };

	if (ws_wait_push(&session_of(f->client)->wait, WS_WAIT_MAX, f)) {
		next_message(f->client);
	} else {
		pl_err_set(&err, PL_E_BUSY, NULL);
		ws_frame_refuse(f, &err);
	}
}

void ws_on_session_ping(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_frame_begin(&buf, "pong", PL_STR_NONE);

	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	ws_frame_finish(f, &w);
}

/* A feedback request of the user was created or completed. */
static void session_about_user(struct ws_client *client, const char *session, struct pl_str frame)
{
	struct ws_session *s = client->state;

	if (s->open && s->agent.on && strcasecmp(session, s->id) == 0)
		ws_agent_tell(&s->agent, "session_update", NULL, NULL);
}

static void session_drained(struct ws_client *client)
{
	ws_agent_drained(&session_of(client)->agent);
}

static bool session_lets_in(const struct ws_frame *f)
{
	return svc_config(f->client->svc)->s.guest;
}

static void session_closed(struct ws_client *client)
{
	struct ws_session *s = client->state;

	ws_wait_clear(&s->wait);
	ws_agent_fini(&s->agent);
	if (s->open)
		leave(client);
}

static void session_made(struct ws_client *client, const struct request *request)
{
	struct ws_session *s = client->state;

	pl_uuid_make(s->socket);
	memcpy(s->key, request->param[0].ptr, request->param[0].len);
}

static const struct ws_dialect ws_session = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_session,
	.state_bytes = sizeof(struct ws_session), .untyped = "Send {\"message\": \"text\"}.", .made = session_made,
	.guest = session_guest, .ready = session_ready, .error = ws_compat_error, .lets_in = session_lets_in,
	.about_user = session_about_user, .drained = session_drained, .closed = session_closed };

void ws_open_session(struct request *request)
{
	static const char *const reserved[] = { "chat", "signaling", "metrics", "sessions", "echo", "me" };
	struct pl_str key = request->param[0];
	bool good = key.len >= 1 && pl_utf8_ok(key.ptr, key.len) && pl_utf8_count(key.ptr, key.len) <= KEY_MAX;

	for (size_t i = 0; i < PL_COUNT(reserved); i++)
		good = good && !pl_str_is(key, reserved[i]);
	if (good)
		ws_open_client(request, &ws_session);
	else
		request_fail_code(request, PL_E_NO_ROUTE);
}

/* SPDX-License-Identifier: ISC */
/*
 * The native dialect: topics, recovery, acknowledged sends. Frames: parlour-ws(7).
 *
 * Each frame type is a row of a table; a row says whether the client must be known and which limit counts.
 */
#include "api/ws/ws_native.h"
#include "clock.h"
#include "svc/answer/agent.h"
#include "svc/room/chat.h"

#define ID_BYTES 64
#define TYPING_EVERY_NS PL_NS_PER_S

struct pl_jw ws_frame_begin(struct pl_buf *buf, const char *type, struct pl_str id)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	if (id.ptr != NULL)
		pl_jw_kstr(&w, "id", id);
	return w;
}

void ws_frame_finish(struct ws_frame *f, struct pl_jw *w)
{
	pl_jw_end_object(w);
	ws_client_send(f->client, w->buf);
}

void ws_frame_topic(struct pl_jw *w, int64_t room_id)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "room:%lld", (long long)room_id);
	pl_jw_kcstr(w, "topic", topic);
}

void ws_frame_hold(struct ws_frame *f)
{
	ws_client_hold(f->client);
	pl_task_hold(f->task);
}

void ws_frame_end(struct ws_frame *f)
{
	struct ws_client *client = f->client;
	struct pl_task *task = f->task;

	ws_client_release(&client);
	pl_task_release(&task);
}

void ws_frame_fail(struct ws_frame *f, const struct pl_err *err)
{
	ws_client_error(f->client, f->id, err);
}

void ws_frame_fail_field(struct ws_frame *f, const char *field, const char *rule)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, PL_E_INVALID, "%s %s", field, rule);
	ws_frame_fail(f, &err);
}

bool ws_frame_i64(struct ws_frame *f, const char *name, int64_t min, int64_t absent, int64_t *out)
{
	const struct pl_jval *v = pl_json_get(f->json, name);

	*out = absent;
	if (v == NULL || v->type == PL_J_NULL || pl_json_i64(v, min, INT64_MAX, out))
		return true;
	ws_frame_fail_field(f, name, min > 0 ? "must be a whole number from 1" : "must be a whole number from 0");
	return false;
}

/* ---- auth, ping ---- */

static void send_authed(struct ws_client *client, struct pl_str id)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "authed", id);

	pl_jw_key(&w, "user");
	pl_jw_object(&w);
	pl_jw_ki64(&w, "id", client->who.user_id);
	pl_jw_kcstr(&w, "username", client->who.name);
	pl_jw_kcstr(&w, "access", access_words[client->who.access & 3]);
	pl_jw_end_object(&w);
	pl_jw_ki64(&w, "login_session", client->who.login_id);
	pl_jw_ktime(&w, "expires_at", client->expires_us);
	pl_jw_ki64(&w, "worker", client->svc->worker->slot);
	pl_jw_ki64(&w, "ping_s", (svc_config(client->svc)->s.ws_ping + 999) / 1000);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

/* The handshake carried a token: authed is the first frame. After an auth frame auth_done() sends it with its id. */
static void native_ready(struct ws_client *client, bool by_handshake)
{
	if (by_handshake)
		send_authed(client, PL_STR_NONE);
}

static void auth_done(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	if (err == NULL) {
		send_authed(client, id);
		ws_feed_again(client);
		return;
	}
	ws_client_error(client, id, err);
	if (pl_err_info(err->code)->ws_close >= 4000)
		ws_client_close(client, err->code);
}

static void on_auth(struct ws_frame *f)
{
	ws_client_auth(f->client, f->task, pl_json_str(pl_json_get(f->json, "token")), auth_done, f->id);
}

static void on_ping(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_frame_begin(&buf, "pong", f->id);

	ws_frame_finish(f, &w);
}

/* ---- send ---- */

static void sent(void *arg, const struct chat_sent *result, const struct pl_err *err)
{
	struct ws_frame *f = arg;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err != NULL) {
		ws_frame_fail(f, err);
		ws_frame_end(f);
		return;
	}
	w = ws_frame_begin(&buf, "ack", f->id);
	ws_frame_topic(&w, f->room_id);
	pl_jw_ki64(&w, "seq", result->message.seq);
	pl_jw_kstr(&w, "client_id", result->message.client_id);
	pl_jw_ktime(&w, "created_at", result->message.created_us);
	if (result->duplicate)
		pl_jw_kbool(&w, "duplicate", true);
	ws_frame_finish(f, &w);
	ws_frame_end(f);
}

static bool content_ok(struct ws_frame *f, struct pl_str content)
{
	struct pl_err err = { 0 };
	int64_t max = svc_config(f->client->svc)->s.max_content;

	if (content.ptr == NULL || content.len == 0)
		ws_frame_fail_field(f, "content", "is required and must be a string that is not empty");
	else if ((int64_t)content.len > max) {
		pl_err_set(&err, PL_E_TOO_LARGE, "content may have at most %lld bytes.", (long long)max);
		ws_frame_fail(f, &err);
	} else
		return true;
	return false;
}

static void on_send(struct ws_frame *f)
{
	struct chat_send send = { .content = pl_json_str(pl_json_get(f->json, "content")) };
	const struct pl_jval *client_id = pl_json_get(f->json, "client_id");

	if (!ws_frame_room(f) || !content_ok(f, send.content) || !ws_frame_i64(f, "reply_to", 1, 0, &send.reply_to))
		return;
	send.client_id = pl_json_str(client_id);
	if (client_id != NULL && (send.client_id.len < 1 || send.client_id.len > 128)) {
		ws_frame_fail_field(f, "client_id", "must be a string of 1 to 128 bytes");
		return;
	}
	send.room_id = f->room_id;
	ws_frame_hold(f);
	chat_send(f->client->svc, svc_config(f->client->svc), f->task, &send, sent, f);
}

/* ---- typing, read, stop ---- */

/*
 * Only who listens to a room may make noise in it: asking for it is not enough, it may be somebody else's private one.
 */
static struct hub_sub *listens(struct ws_frame *f)
{
	struct hub_sub *sub;

	if (!ws_frame_room(f))
		return NULL;
	sub = ws_subs_find(f->client, f->room_id);
	if (sub != NULL && hub_sub_granted(sub))
		return sub;
	ws_frame_fail_field(f, "topic", "is not subscribed on this socket");
	return NULL;
}

static void on_typing(struct ws_frame *f)
{
	struct hub_sub *sub = listens(f);
	int64_t now_ns = pl_now_ns();

	if (sub == NULL || now_ns - sub->typing_ns < TYPING_EVERY_NS)
		return;
	sub->typing_ns = now_ns;
	hub_typing(f->client->svc->hub, f->room_id, f->client->who.user_id, pl_str(f->client->who.name));
}

static void on_read(struct ws_frame *f)
{
	struct hub_sub *sub = listens(f);
	int64_t seq;

	if (sub == NULL || !ws_frame_i64(f, "seq", 1, 0, &seq))
		return;
	if (seq == 0)
		ws_frame_fail_field(f, "seq", "is required");
	else if (seq > hub_sub_head(sub))
		ws_frame_fail_field(f, "seq", "must not lie beyond the last one of the room");
	else
		hub_read_marker(f->client->svc->hub, f->room_id, f->client->who.user_id, seq);
}

static void stopped(void *arg, const struct generation *g, const struct pl_err *err)
{
	struct ws_frame *f = arg;

	/* success shows as the generation's own state for everybody */
	if (err != NULL)
		ws_frame_fail(f, err);
	ws_frame_end(f);
}

static void on_stop(struct ws_frame *f)
{
	struct pl_str id = pl_json_str(pl_json_get(f->json, "generation_id"));

	if (id.ptr == NULL || !pl_uuid_ok(id)) {
		ws_frame_fail_field(f, "generation_id", "is required and must be a UUID");
		return;
	}
	ws_frame_hold(f);
	agent_stop(f->client->svc, f->task, id, stopped, f);
}

/* ---- dispatch ---- */

static const struct {
	const char *type;
	void (*on)(struct ws_frame *f);
	enum { TO_USERS, TO_ALL, BY_SETTING } open;	/* BY_SETTING: also where ws_frame_is_open() */
	enum limit_class klass;
} types[] = {
	{ "send", on_send, TO_USERS, LIMIT_SEND },
	{ "typing", on_typing, TO_USERS, LIMIT_READ },
	{ "read", on_read, TO_USERS, LIMIT_READ },
	{ "ping", on_ping, BY_SETTING, LIMIT_READ },
	{ "subscribe", ws_on_subscribe, BY_SETTING, LIMIT_READ },
	{ "unsubscribe", ws_on_unsubscribe, BY_SETTING, LIMIT_READ },
	{ "stop", on_stop, TO_USERS, LIMIT_READ },
	{ "auth", on_auth, TO_ALL, LIMIT_READ },
	{ "candidate", ws_on_call, TO_USERS, LIMIT_READ },
	{ "offer", ws_on_call, TO_USERS, LIMIT_READ },
	{ "answer", ws_on_call, TO_USERS, LIMIT_READ },
	{ "join", ws_on_call, TO_USERS, LIMIT_READ },
	{ "leave", ws_on_call, TO_USERS, LIMIT_READ },
};

static void run_type(struct ws_frame *f, size_t i)
{
	struct ws_client *c = f->client;
	struct pl_err err = { 0 };

	if (!c->authed && types[i].open != TO_ALL && (types[i].open == TO_USERS || !ws_frame_is_open(f))) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_client_refuse(c, f->id, &err);
	} else if (types[i].klass == LIMIT_SEND && !db_admit(c->svc->db, SHED_SEND, &err)) {
		ws_frame_fail(f, &err);
	} else if (!limits_take(c->svc, svc_config(c->svc), types[i].klass, &c->who, PL_STR_NONE, NULL, &err)) {
		ws_frame_fail(f, &err);
	} else {
		types[i].on(f);
	}
}

static void native_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *json)
{
	struct ws_frame *f = pl_alloc(task->pool, sizeof(*f));
	struct pl_str type = pl_json_str(pl_json_get(json, "type"));
	struct pl_err err = { 0 };

	*f = (struct ws_frame){ .client = client, .task = task, .json = json,
		.id = pl_json_str(pl_json_get(json, "id")) };
	if (f->id.len > ID_BYTES) {
		pl_err_set(&err, PL_E_INVALID, "id must have at most %d bytes", ID_BYTES);
		ws_client_refuse(client, PL_STR_NONE, &err);
		return;
	}
	for (size_t i = 0; type.ptr != NULL && i < PL_COUNT(types); i++)
		if (pl_str_is(type, types[i].type)) {
			run_type(f, i);
			return;
		}
	pl_err_set(&err, type.ptr != NULL ? PL_E_UNKNOWN_TYPE : PL_E_BAD_FRAME, NULL);
	ws_client_refuse(client, f->id, &err);
}

/* topic NULL: the error of a frame. */
static void send_error(struct ws_client *client, struct pl_str id, const char *topic, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "error", id);

	if (topic != NULL)
		pl_jw_kcstr(&w, "topic", topic);
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	pl_jw_kcstr(&w, "detail", pl_err_text(err));
	pl_jw_kbool(&w, "temporary", pl_err_info(err->code)->temporary);
	if (err->retry_after_s > 0)
		pl_jw_ki64(&w, "retry_after", err->retry_after_s);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void native_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	send_error(client, id, NULL, err);
}

void ws_native_stalled(struct ws_client *client, const char *topic, const struct pl_err *err)
{
	send_error(client, PL_STR_NONE, topic, err);
}

void ws_native_unsubscribed(struct ws_client *client, const char *topic, enum pl_code code)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "unsubscribed", PL_STR_NONE);

	pl_jw_kcstr(&w, "topic", topic);
	pl_jw_kcstr(&w, "code", pl_err_info(code)->code);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void native_ended(struct ws_client *client, int64_t room_id)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "room:%lld", (long long)room_id);
	ws_native_unsubscribed(client, topic, PL_E_NOT_FOUND);
}

static void native_stalled(struct ws_client *client, int64_t room_id, const struct pl_err *err)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "room:%lld", (long long)room_id);
	ws_native_stalled(client, topic, err);
}

/* As if the client had asked to go on where it stood: it must load the room again. */
static void native_reset(struct ws_client *client, int64_t room_id, int64_t epoch, int64_t seq)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct ws_frame f = { .client = client };
	struct hub_subscribed head = { .epoch = epoch, .seq = seq, .was_recovering = true };
	struct pl_jw w = ws_frame_subscribed(&f, &buf, pl_sprintf(pool, "room:%lld", (long long)room_id), &head);

	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void native_closed(struct ws_client *client)
{
	ws_watch_close_all(client);
	ws_call_close_all(client);
	ws_feed_close(client, WS_FEED_METRICS);
	ws_feed_close(client, WS_FEED_SESSIONS);
}

const struct ws_dialect ws_native = { .render = HUB_NATIVE, .ready = native_ready, .frame = native_frame,
	.error = native_error, .ended = native_ended, .reset = native_reset, .stalled = native_stalled,
	.drained = ws_watch_resume, .closed = native_closed };

void ws_open_native(struct call *call)
{
	ws_open_client(call, &ws_native, 0);
}

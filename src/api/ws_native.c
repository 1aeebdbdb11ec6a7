/* SPDX-License-Identifier: ISC */
/*
 * The native dialect: topics, recovery, acknowledged sends. Frames: parlour-ws(7).
 *
 * Each frame type is a row of a table; a row says whether the client must be known and which limit counts.
 */
#include "api/ws_client.h"
#include "clock.h"
#include "svc/agent.h"
#include "svc/chat.h"

#define ID_BYTES 64
#define SUBS_MAX 1000
#define TYPING_EVERY_NS PL_NS_PER_S

/* One frame being answered. */
struct frame {
	struct ws_client *client;		/* held */
	struct pl_task *task;
	struct pl_str id;
	const struct pl_jval *json;
	int64_t room_id;
};

static struct pl_jw begin(struct pl_buf *buf, const char *type, struct pl_str id)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	if (id.ptr != NULL)
		pl_jw_kstr(&w, "id", id);
	return w;
}

static void finish(struct frame *f, struct pl_jw *w)
{
	pl_jw_end_object(w);
	ws_client_send(f->client, w->buf);
}

static void write_topic(struct pl_jw *w, int64_t room_id)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "room:%lld", (long long)room_id);
	pl_jw_kcstr(w, "topic", topic);
}

static void frame_end(struct frame *f)
{
	struct ws_client *client = f->client;
	struct pl_task *task = f->task;

	ws_client_release(&client);
	pl_task_release(&task);
}

static void frame_fail(struct frame *f, const struct pl_err *err)
{
	ws_client_error(f->client, f->id, err);
}

static void fail_field(struct frame *f, const char *field, const char *rule)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, PL_E_INVALID, "%s %s", field, rule);
	frame_fail(f, &err);
}

static const char me[] = "user:me";

static bool is_me(const struct frame *f)
{
	return pl_str_is(pl_json_str(pl_json_get(f->json, "topic")), me);
}

/* The caller's own topic has no log: what it tells can be read from GET /api/rooms. */
static void listen_me(struct frame *f, bool listens)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = begin(&buf, listens ? "subscribed" : "unsubscribed", f->id);

	f->client->listens_me = listens;
	pl_jw_kcstr(&w, "topic", me);
	if (listens) {
		pl_jw_ki64(&w, "epoch", 0);
		pl_jw_ki64(&w, "seq", 0);
		pl_jw_kbool(&w, "was_recovering", false);
		pl_jw_kbool(&w, "recovered", false);
	}
	finish(f, &w);
}

/* "room:7"; false: it has failed */
static bool need_topic(struct frame *f)
{
	struct pl_str topic = pl_json_str(pl_json_get(f->json, "topic"));

	if (topic.ptr == NULL)
		fail_field(f, "topic", "is required and must be a string such as \"room:7\"");
	else if (!pl_str_starts(topic, "room:") ||
	    !pl_str_i64(pl_strn(topic.ptr + 5, topic.len - 5), 1, INT64_MAX, &f->room_id))
		frame_fail(f, &(struct pl_err){ .code = PL_E_NOT_FOUND });
	else
		return true;
	return false;
}

/* An optional whole number; false: it has failed. */
static bool optional_i64(struct frame *f, const char *name, int64_t min, int64_t absent, int64_t *out)
{
	const struct pl_jval *v = pl_json_get(f->json, name);

	*out = absent;
	if (v == NULL || v->type == PL_J_NULL || pl_json_i64(v, min, INT64_MAX, out))
		return true;
	fail_field(f, name, min > 0 ? "must be a whole number from 1" : "must be a whole number from 0");
	return false;
}

/* ---- auth, ping ---- */

static void send_authed(struct ws_client *client, struct pl_str id)
{
	static const char *const access[] = { "user", "analyst", "operator", "admin" };
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "authed", id);

	pl_jw_key(&w, "user");
	pl_jw_object(&w);
	pl_jw_ki64(&w, "id", client->who.user_id);
	pl_jw_kcstr(&w, "username", client->who.name);
	pl_jw_kcstr(&w, "access", access[client->who.access & 3]);
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
		return;
	}
	ws_client_error(client, id, err);
	if (pl_err_info(err->code)->ws_close >= 4000)
		ws_client_close(client, err->code);
}

static void on_auth(struct frame *f)
{
	ws_client_auth(f->client, f->task, pl_json_str(pl_json_get(f->json, "token")), auth_done, f->id);
}

static void on_ping(struct frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = begin(&buf, "pong", f->id);

	finish(f, &w);
}

/* ---- subscribe ---- */

static void write_position(struct pl_jw *w, int64_t room_id, const struct hub_subscribed *at)
{
	write_topic(w, room_id);
	pl_jw_ki64(w, "epoch", at->epoch);
	pl_jw_ki64(w, "seq", at->seq);
	pl_jw_kbool(w, "was_recovering", at->was_recovering);
	pl_jw_kbool(w, "recovered", at->recovered);
}

static void subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct frame *f = arg;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err != NULL) {
		ws_subs_remove(f->client, sub);
		frame_fail(f, err);
		return;
	}
	w = begin(&buf, "subscribed", f->id);
	write_position(&w, f->room_id, result);
	finish(f, &w);
}

/* Whoever asked for it and has no answer yet gets one. */
static void drop(struct frame *f, struct hub_sub *sub)
{
	hub_subscribe_fail(sub, PL_E_CANCELLED);
	ws_subs_drop(f->client, sub);
}

static void on_subscribe(struct frame *f)
{
	int64_t since, epoch;
	struct hub_sub *old;

	if (is_me(f)) {
		listen_me(f, true);
		return;
	}
	if (!need_topic(f) || !optional_i64(f, "since", 0, -1, &since) || !optional_i64(f, "epoch", 0, 0, &epoch))
		return;
	old = ws_subs_find(f->client, f->room_id);
	if (old == NULL && f->client->subs_count >= SUBS_MAX) {
		fail_field(f, "topic", "is one too many: a socket may listen to 1000 topics");
		return;
	}
	if (old != NULL)
		drop(f, old);
	/* the frame is held through its task by the subscription until it answered; a closed socket drops the sub first */
	ws_subs_add(f->client, hub_subscribe(f->client->svc->hub, f->task, f->room_id, since, epoch, &ws_sub_ops, f->client,
	    subscribed, f));
}

static void on_unsubscribe(struct frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct hub_sub *sub;
	struct pl_jw w;

	if (is_me(f)) {
		listen_me(f, false);
		return;
	}
	if (!need_topic(f))
		return;
	sub = ws_subs_find(f->client, f->room_id);
	if (sub != NULL)
		drop(f, sub);
	w = begin(&buf, "unsubscribed", f->id);
	write_topic(&w, f->room_id);
	finish(f, &w);
}

/* ---- send ---- */

static void sent(void *arg, const struct chat_sent *result, const struct pl_err *err)
{
	struct frame *f = arg;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err != NULL) {
		frame_fail(f, err);
		frame_end(f);
		return;
	}
	w = begin(&buf, "ack", f->id);
	write_topic(&w, f->room_id);
	pl_jw_ki64(&w, "seq", result->message.seq);
	pl_jw_kstr(&w, "client_id", result->message.client_id);
	pl_jw_ktime(&w, "created_at", result->message.created_us);
	if (result->duplicate)
		pl_jw_kbool(&w, "duplicate", true);
	finish(f, &w);
	frame_end(f);
}

static bool content_ok(struct frame *f, struct pl_str content)
{
	struct pl_err err = { 0 };
	int64_t max = svc_config(f->client->svc)->s.max_content;

	if (content.ptr == NULL || content.len == 0)
		fail_field(f, "content", "is required and must be a string that is not empty");
	else if ((int64_t)content.len > max) {
		pl_err_set(&err, PL_E_TOO_LARGE, "content may have at most %lld bytes.", (long long)max);
		frame_fail(f, &err);
	} else
		return true;
	return false;
}

static void on_send(struct frame *f)
{
	struct chat_send send = { .content = pl_json_str(pl_json_get(f->json, "content")) };
	const struct pl_jval *client_id = pl_json_get(f->json, "client_id");

	if (!need_topic(f) || !content_ok(f, send.content) || !optional_i64(f, "reply_to", 1, 0, &send.reply_to))
		return;
	send.client_id = pl_json_str(client_id);
	if (client_id != NULL && (send.client_id.len < 1 || send.client_id.len > 128)) {
		fail_field(f, "client_id", "must be a string of 1 to 128 bytes");
		return;
	}
	send.room_id = f->room_id;
	ws_client_hold(f->client);
	pl_task_hold(f->task);
	chat_send(f->client->svc, svc_config(f->client->svc), f->task, &send, sent, f);
}

/* ---- typing, read, stop ---- */

/* Only who listens to a room may make noise in it: asking for it is not enough, it may be somebody else's private one. */
static struct hub_sub *listens(struct frame *f)
{
	struct hub_sub *sub;

	if (!need_topic(f))
		return NULL;
	sub = ws_subs_find(f->client, f->room_id);
	if (sub != NULL && hub_sub_granted(sub))
		return sub;
	fail_field(f, "topic", "is not subscribed on this socket");
	return NULL;
}

static void on_typing(struct frame *f)
{
	struct hub_sub *sub = listens(f);
	int64_t now_ns = pl_now_ns();

	if (sub == NULL || now_ns - sub->typing_ns < TYPING_EVERY_NS)
		return;
	sub->typing_ns = now_ns;
	hub_typing(f->client->svc->hub, f->room_id, f->client->who.user_id, pl_str(f->client->who.name));
}

static void on_read(struct frame *f)
{
	struct hub_sub *sub = listens(f);
	int64_t seq;

	if (sub == NULL || !optional_i64(f, "seq", 1, 0, &seq))
		return;
	if (seq == 0)
		fail_field(f, "seq", "is required");
	else if (seq > hub_sub_head(sub))
		fail_field(f, "seq", "must not lie beyond the last one of the room");
	else
		hub_read_marker(f->client->svc->hub, f->room_id, f->client->who.user_id, seq);
}

static void stopped(void *arg, const struct generation *g, const struct pl_err *err)
{
	struct frame *f = arg;

	/* success shows as the generation's own state for everybody */
	if (err != NULL)
		frame_fail(f, err);
	frame_end(f);
}

static void on_stop(struct frame *f)
{
	struct pl_str id = pl_json_str(pl_json_get(f->json, "generation_id"));

	if (id.ptr == NULL || !pl_uuid_ok(id)) {
		fail_field(f, "generation_id", "is required and must be a UUID");
		return;
	}
	ws_client_hold(f->client);
	pl_task_hold(f->task);
	agent_stop(f->client->svc, f->task, id, stopped, f);
}

/* ---- dispatch ---- */

static const struct {
	const char *type;
	void (*on)(struct frame *f);
	bool open_to_all;
	enum limit_class klass;
} types[] = {
	{ "send", on_send, false, LIMIT_SEND },
	{ "typing", on_typing, false, LIMIT_READ },
	{ "read", on_read, false, LIMIT_READ },
	{ "ping", on_ping, false, LIMIT_READ },
	{ "subscribe", on_subscribe, false, LIMIT_READ },
	{ "unsubscribe", on_unsubscribe, false, LIMIT_READ },
	{ "stop", on_stop, false, LIMIT_READ },
	{ "auth", on_auth, true, LIMIT_READ },
};

static void run_type(struct frame *f, size_t i)
{
	struct ws_client *c = f->client;
	struct pl_err err = { 0 };

	if (!types[i].open_to_all && !c->authed) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_client_refuse(c, f->id, &err);
	} else if (!limits_take(c->svc, svc_config(c->svc), types[i].klass, &c->who, PL_STR_NONE, NULL, &err)) {
		frame_fail(f, &err);
	} else {
		types[i].on(f);
	}
}

static void native_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *json)
{
	struct frame *f = pl_alloc(task->pool, sizeof(*f));
	struct pl_str type = pl_json_str(pl_json_get(json, "type"));
	struct pl_err err = { 0 };

	*f = (struct frame){ .client = client, .task = task, .json = json, .id = pl_json_str(pl_json_get(json, "id")) };
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

static void native_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "error", id);

	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	pl_jw_kcstr(&w, "detail", pl_err_text(err));
	pl_jw_kbool(&w, "temporary", pl_err_info(err->code)->temporary);
	if (err->retry_after_s > 0)
		pl_jw_ki64(&w, "retry_after", err->retry_after_s);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void native_ended(struct ws_client *client, int64_t room_id)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "unsubscribed", PL_STR_NONE);

	write_topic(&w, room_id);
	pl_jw_kcstr(&w, "code", pl_err_info(PL_E_NOT_FOUND)->code);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

/* As if the client had asked to go on where it stood: it must load the room again. */
static void native_reset(struct ws_client *client, int64_t room_id, int64_t epoch, int64_t seq)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = begin(&buf, "subscribed", PL_STR_NONE);

	write_position(&w, room_id, &(struct hub_subscribed){ .epoch = epoch, .seq = seq, .was_recovering = true });
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

const struct ws_dialect ws_native = { .render = HUB_NATIVE, .ready = native_ready, .frame = native_frame,
	.error = native_error, .ended = native_ended, .reset = native_reset };

void ws_open_native(struct call *call)
{
	ws_open_client(call, &ws_native, 0);
}

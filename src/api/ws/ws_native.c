/* SPDX-License-Identifier: ISC */
/*
 * The native dialect: topics, recovery, acknowledged sends. Frames: parlour-ws(7).
 *
 * Each frame type is a row of a table; a row says whether the client must be known and which limit counts.
 */
#include "api/ws/ws_native.h"
#include "api/ws/ws_topic.h"
#include "svc/answer/agent.h"

#define ID_BYTES 64

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
	static const char *const access[] = { "user", "analyst", "operator", "admin" };
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "authed", id);

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
		ws_topics_revisit(client);
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

/* ---- stop ---- */

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
	enum { TO_USERS, TO_ALL, BY_SETTING } open;	/* BY_SETTING: also where ws_topics_are_open() */
	enum limit_class klass;
} types[] = {
	{ "send", ws_on_send, TO_USERS, LIMIT_SEND },
	{ "typing", ws_on_typing, TO_USERS, LIMIT_READ },
	{ "read", ws_on_read, TO_USERS, LIMIT_READ },
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

	if (!c->authed && types[i].open != TO_ALL && (types[i].open == TO_USERS || !ws_topics_are_open(f))) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_frame_refuse(f, &err);
	} else if (types[i].klass == LIMIT_SEND && !db_admit(c->svc->db, SHED_SEND, &err)) {
		ws_frame_fail(f, &err);
	} else if (!limits_take(c->svc, svc_config(c->svc), types[i].klass, &c->who, PL_STR_NONE, NULL, &err)) {
		ws_frame_fail(f, &err);
	} else {
		types[i].on(f);
	}
}

static void native_frame(struct ws_frame *f)
{
	struct pl_str type = pl_json_str(pl_json_get(f->json, "type"));
	struct pl_err err = { 0 };

	f->id = pl_json_str(pl_json_get(f->json, "id"));
	if (f->id.len > ID_BYTES) {
		f->id = PL_STR_NONE;
		pl_err_set(&err, PL_E_INVALID, "id must have at most %d bytes", ID_BYTES);
		ws_frame_refuse(f, &err);
		return;
	}
	for (size_t i = 0; type.ptr != NULL && i < PL_COUNT(types); i++)
		if (pl_str_is(type, types[i].type)) {
			run_type(f, i);
			return;
		}
	pl_err_set(&err, type.ptr != NULL ? PL_E_UNKNOWN_TYPE : PL_E_BAD_FRAME, NULL);
	ws_frame_refuse(f, &err);
}

void ws_native_error(struct ws_client *client, struct pl_str id, const char *topic, const struct pl_err *err)
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
	ws_native_error(client, id, NULL, err);
}

const struct ws_dialect ws_native = { .render = HUB_NATIVE, .state_bytes = sizeof(struct ws_topics),
	.answers_each = true, .ready = native_ready, .frame = native_frame, .error = native_error,
	.drained = ws_topics_drained, .left = ws_topics_left, .about_user = ws_topics_about_user,
	.closed = ws_topics_closed };

void ws_open_native(struct call *call)
{
	ws_open_client(call, &ws_native);
}

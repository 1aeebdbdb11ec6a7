/* SPDX-License-Identifier: ISC */
/*
 * The native dialect: topics, recovery, and acknowledged messages. Frames: parlour-ws(7).
 *
 * Its frames are rows of frames.def. ws_topic*.c answer those of topics.
 */
#include "api/ws/ws_native.h"
#include "api/ws/ws_topic.h"
#include "svc/room/role_answer.h"

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

/*
 * After a handshake with a token, authed is the first frame. After an auth frame, auth_done() sends it with the frame's
 * id.
 */
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

void ws_on_auth(struct ws_frame *f)
{
	const struct in_native_auth *in = f->in;

	ws_client_auth(f->client, f->task, in->token, auth_done, f->id);
}

void ws_on_ping(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_frame_begin(&buf, "pong", f->id);

	ws_frame_finish(f, &w);
}

/* ---- stop ---- */

static void stopped(void *arg, const struct generation *g, const struct pl_err *err)
{
	struct ws_frame *f = arg;

	/* if it succeeded, all viewers see it in the state of the generation */
	if (err != NULL)
		ws_frame_fail(f, err);
	ws_frame_end(f);
}

void ws_on_stop(struct ws_frame *f)
{
	const struct in_native_stop *in = f->in;

	ws_frame_hold(f);
	role_stop(f->client->svc, f->task, in->generation_id, stopped, f);
}

/* ---- the dialect ---- */

void ws_native_error(struct ws_client *client, struct pl_str id, const char *topic, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "error", id);

	if (topic != NULL)
		pl_jw_kcstr(&w, "topic", topic);
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	pl_jw_kcstr(&w, "detail", pl_err_text(err));
	pl_jw_kbool(&w, "temporary", pl_err_temporary(err));
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

/* Frames of an unknown type are refused for all clients. */
static bool native_lets_in(const struct ws_frame *f)
{
	return f->row == NULL || ws_topics_are_open(f);
}

const struct ws_dialect ws_native = { .render = HUB_NATIVE, .state_bytes = sizeof(struct ws_topics),
	.words = WS_WORDS_native, .answers_each = true, .has_ids = true, .untyped = "", .ready = native_ready,
	.error = native_error, .lets_in = native_lets_in,
	.drained = ws_topics_drained, .left = ws_topics_left, .about_user = ws_topics_about_user,
	.closed = ws_topics_closed };

void ws_open_native(struct request *request)
{
	ws_open_client(request, &ws_native);
}

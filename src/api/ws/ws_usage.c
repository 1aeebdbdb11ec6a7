/* SPDX-License-Identifier: ISC */
/*
 * /ws/metrics and /ws/sessions without parlour.v1: one feed each, from the first ready() to the end of the socket.
 * Frames: parlour-ws(7), "Compatible sockets".
 */
#include "api/ws/ws_client.h"
#include "clock.h"

static enum ws_feed_kind kind_of(const struct ws_client *client)
{
	return client->dialect == &ws_metrics ? WS_FEED_METRICS : WS_FEED_SESSIONS;
}

/* Runs a second time when somebody without a token shows one later: then they see what is theirs. */
static void usage_ready(struct ws_client *client, bool by_handshake)
{
	ws_feed_open(client, kind_of(client));
}

static void send_pong(struct ws_client *client, struct pl_pool *pool)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", "pong");
	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
}

static void usage_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_str type = pl_json_str(pl_json_get(frame, "type"));
	struct pl_err err = { 0 };

	if (pl_str_is(type, "auth")) {
		ws_compat_auth(client, task, frame);
	} else if (client->feeds[kind_of(client)] == NULL) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_client_refuse(client, PL_STR_NONE, &err);
	} else if (pl_str_is(type, "ping")) {
		send_pong(client, task->pool);
	} else {
		pl_err_set(&err, PL_E_UNKNOWN_TYPE,
		    "This socket takes {\"type\":\"ping\"} and {\"type\":\"auth\",\"token\"} only.");
		ws_client_refuse(client, PL_STR_NONE, &err);
	}
}

static void usage_ended(struct ws_client *client, int64_t room_id)
{
	/* it listens to no room */
}

static void usage_closed(struct ws_client *client)
{
	ws_feed_close(client, kind_of(client));
}

const struct ws_dialect ws_metrics = { .render = HUB_ROOM_COMPAT, .ready = usage_ready, .frame = usage_frame,
	.error = ws_compat_error, .ended = usage_ended, .closed = usage_closed, .anonymous = "metrics" };
const struct ws_dialect ws_sessions = { .render = HUB_ROOM_COMPAT, .ready = usage_ready, .frame = usage_frame,
	.error = ws_compat_error, .ended = usage_ended, .closed = usage_closed, .anonymous = "sessions" };

void ws_open_metrics(struct call *call)
{
	ws_open_client(call, &ws_metrics, 0);
}

void ws_open_sessions(struct call *call)
{
	ws_open_client(call, &ws_sessions, 0);
}

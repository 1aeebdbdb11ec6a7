/* SPDX-License-Identifier: ISC */
/*
 * /ws/metrics and /ws/sessions without parlour.v1: one feed each, from the first ready() to the end of the socket.
 * Frames: parlour-ws(7), "Compatible sockets".
 */
#include "api/ws/ws_feed.h"
#include "api/ws/ws_frame.h"
#include "clock.h"

struct usage_state { struct ws_feed *feed; };

static struct usage_state *usage_of(const struct ws_client *client)
{
	return client->state;
}

static void on_shut(void *arg)
{
	ws_client_close(arg, PL_E_UNAUTHORIZED);
}

/* Runs again if a client without a token sends one later: then it receives the data of its user. */
static void ready(struct ws_client *client, enum ws_feed_kind kind)
{
	struct usage_state *usage = client->state;

	if (usage->feed == NULL)
		usage->feed = ws_feed_new(client, kind, NULL, on_shut, client);
	ws_feed_show(usage->feed);
}

static void metrics_ready(struct ws_client *client, bool by_handshake)
{
	ready(client, WS_FEED_METRICS);
}

static void sessions_ready(struct ws_client *client, bool by_handshake)
{
	ready(client, WS_FEED_SESSIONS);
}

void ws_on_usage_ping(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_frame_begin(&buf, "pong", PL_STR_NONE);

	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	ws_frame_finish(f, &w);
}

static bool usage_lets_in(const struct ws_frame *f)
{
	return usage_of(f->client)->feed != NULL;
}

static void usage_closed(struct ws_client *client)
{
	ws_feed_free(&usage_of(client)->feed);
}

#define UNKNOWN "This socket accepts {\"type\":\"ping\"} and {\"type\":\"auth\",\"token\"} only."

static const struct ws_dialect ws_metrics = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_usage,
	.state_bytes = sizeof(struct usage_state), .unknown = UNKNOWN, .ready = metrics_ready,
	.error = ws_compat_error, .lets_in = usage_lets_in, .closed = usage_closed, .anonymous = "metrics" };
static const struct ws_dialect ws_sessions = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_usage,
	.state_bytes = sizeof(struct usage_state), .unknown = UNKNOWN, .ready = sessions_ready,
	.error = ws_compat_error, .lets_in = usage_lets_in, .closed = usage_closed, .anonymous = "sessions" };

void ws_open_metrics(struct request *request)
{
	ws_open_client(request, &ws_metrics);
}

void ws_open_sessions(struct request *request)
{
	ws_open_client(request, &ws_sessions);
}

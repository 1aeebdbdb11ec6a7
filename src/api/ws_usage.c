/* SPDX-License-Identifier: ISC */
/*
 * /ws/metrics and /ws/sessions: {"type","data","timestamp"} at once and then when the data changed, looked at every 5 or
 * 10 s; where nothing changed, {"type":"heartbeat","timestamp"}. Frames: parlour-ws(7), "Compatible sockets".
 *
 * A feed lives from the first ready() to the end of its socket.
 */
#include <event2/event.h>

#include "api/usage_shape.h"
#include "api/ws_client.h"
#include "clock.h"
#include "svc/memo.h"

#define METRICS_EVERY_S 5
#define SESSIONS_EVERY_S 10
#define SESSIONS_SHOWN 20

struct ws_feed {
	struct ws_client *client;
	struct event *timer;
	struct pl_buf last;		/* data of the newest frame */
	bool asking;
};

/* One look at the data. */
struct look { struct ws_client *client; struct pl_task *task; struct pl_str key; struct usage_filter filter; };

static bool is_metrics(const struct ws_client *client)
{
	return client->dialect == &ws_metrics;
}

static void send_frame(struct ws_client *client, struct pl_pool *pool, const char *type, struct pl_str data)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	if (data.ptr != NULL)
		pl_jw_kraw(&w, "data", data);
	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
}

/* The end of a look: data, or err. */
static void look_end(struct look *look, struct pl_str data, const struct pl_err *err)
{
	struct ws_client *client = look->client;
	struct pl_task *task = look->task;
	struct ws_feed *feed = client->feed;

	if (feed != NULL && client->conn != NULL) {
		feed->asking = false;
		if (err != NULL) {
			ws_client_error(client, PL_STR_NONE, err);
		} else if (pl_str_eq(pl_buf_str(&feed->last), data)) {
			send_frame(client, task->pool, "heartbeat", PL_STR_NONE);
		} else {
			send_frame(client, task->pool, is_metrics(client) ? "metrics" : "sessions", data);
			pl_buf_reset(&feed->last);
			pl_buf_addstr(&feed->last, data);
		}
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void on_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct look *look = arg;

	look_end(look, err == NULL ? usage_kpis_json(look->task->pool, kpis, 0) : PL_STR_NONE, err);
}

static void on_sessions(void *arg, const struct usage_session_list *list, const struct pl_err *err)
{
	struct look *look = arg;
	struct pl_str data = PL_STR_NONE;

	if (err == NULL) {
		data = usage_sessions_json(look->task->pool, list);
		memo_keep(look->client->svc->memo, look->key, data);
	}
	look_end(look, data, err);
}

static void look_at_metrics(struct look *look)
{
	struct svc *svc = look->client->svc;
	struct usage_kpis kpis;

	if (usage_kpis_known(svc, look->key, &kpis))
		on_kpis(look, &kpis, NULL);
	else
		usage_kpis_ask(svc, look->task, look->key, &look->filter, on_kpis, look);
}

static void look_at_sessions(struct look *look)
{
	struct svc *svc = look->client->svc;
	struct pl_str kept = memo_find(svc->memo, look->key);

	if (kept.ptr != NULL)
		look_end(look, pl_str_dup(look->task->pool, kept), NULL);
	else
		repo_usage_recent(svc->db, look->task, look->filter.user_id, look->filter.hide, SESSIONS_SHOWN, on_sessions, look);
}

static void look_now(struct ws_client *client)
{
	struct pl_task *task = ws_client_task(client);
	struct look *look = pl_alloc(task->pool, sizeof(*look));
	struct pl_err err = { 0 };
	bool standing;

	if (client->feed->asking) {	/* the one before is still on its way */
		pl_task_release(&task);
		return;
	}
	*look = (struct look){ .client = ws_client_hold(client), .task = task };
	client->feed->asking = true;
	if (!usage_scope(&client->who, &look->filter, &err) ||
	    !usage_window(&look->filter, task->pool, SHAPE_NONE, SHAPE_NONE, SHAPE_NONE, &standing, &err)) {
		look_end(look, PL_STR_NONE, &err);
		return;
	}
	look->key = usage_key(task->pool, is_metrics(client) ? "metrics" : "recent", &look->filter, true);
	if (is_metrics(client))
		look_at_metrics(look);
	else
		look_at_sessions(look);
}

static void arm(struct ws_feed *feed)
{
	struct timeval tv = { is_metrics(feed->client) ? METRICS_EVERY_S : SESSIONS_EVERY_S, 0 };

	PL_BUG(evtimer_add(feed->timer, &tv) != 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ws_feed *feed = arg;
	struct ws_client *client = feed->client;

	if (!client->authed && !svc_anonymous(svc_config(client->svc), client->dialect->anonymous)) {
		ws_client_close(client, PL_E_UNAUTHORIZED);
		return;
	}
	arm(feed);
	look_now(client);
}

/* Runs a second time when somebody without a token shows one later: then they see what is theirs. */
static void usage_ready(struct ws_client *client, bool by_handshake)
{
	if (client->feed == NULL) {
		client->feed = pl_new(sizeof(*client->feed));
		client->feed->client = client;
		client->feed->timer = evtimer_new(client->svc->worker->base, on_timer, client->feed);
		PL_BUG(client->feed->timer == NULL);
		arm(client->feed);
	}
	look_now(client);
}

static void on_auth(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	if (err != NULL)
		ws_client_close(client, err->code == PL_E_REVOKED ? PL_E_REVOKED : PL_E_UNAUTHORIZED);
}

static void usage_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_str type = pl_json_str(pl_json_get(frame, "type"));
	struct pl_err err = { 0 };

	if (pl_str_is(type, "auth")) {
		ws_client_auth(client, task, pl_json_str(pl_json_get(frame, "token")), on_auth, PL_STR_NONE);
	} else if (client->feed == NULL) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_client_refuse(client, PL_STR_NONE, &err);
	} else if (pl_str_is(type, "ping")) {
		send_frame(client, task->pool, "pong", PL_STR_NONE);
	} else {
		pl_err_set(&err, PL_E_UNKNOWN_TYPE, "This socket takes {\"type\":\"ping\"} and {\"type\":\"auth\",\"token\"} only.");
		ws_client_refuse(client, PL_STR_NONE, &err);
	}
}

static void usage_ended(struct ws_client *client, int64_t room_id)
{
	/* it listens to no room */
}

static void usage_closed(struct ws_client *client)
{
	if (client->feed == NULL)
		return;
	event_free(client->feed->timer);
	pl_buf_fini(&client->feed->last);
	pl_free(client->feed);
	client->feed = NULL;
}

static void usage_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	ws_room_compat.error(client, id, err);
}

const struct ws_dialect ws_metrics = { .render = HUB_ROOM_COMPAT, .ready = usage_ready, .frame = usage_frame,
	.error = usage_error, .ended = usage_ended, .closed = usage_closed, .anonymous = "metrics" };
const struct ws_dialect ws_sessions = { .render = HUB_ROOM_COMPAT, .ready = usage_ready, .frame = usage_frame,
	.error = usage_error, .ended = usage_ended, .closed = usage_closed, .anonymous = "sessions" };

void ws_open_metrics(struct call *call)
{
	ws_open_client(call, &ws_metrics, 0);
}

void ws_open_sessions(struct call *call)
{
	ws_open_client(call, &ws_sessions, 0);
}

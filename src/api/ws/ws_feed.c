/* SPDX-License-Identifier: ISC */
/*
 * Figures for sockets: {"type","data","timestamp"} at once, and then after changes, which are checked every 5 s
 * (metrics) or 10 s (sessions). Without a change, {"type":"heartbeat","timestamp"}.
 */
#include <event2/event.h>

#include "api/usage_shape.h"
#include "api/ws/ws_feed.h"
#include "clock.h"
#include "svc/usage/memo.h"

#define SESSIONS_SHOWN 20

struct ws_feed {
	struct ws_client *client;
	enum ws_feed_kind kind;
	const char *topic;
	void (*shut)(void *arg);
	void *arg;
	struct event *timer;
	struct pl_buf last;		/* data of the newest frame */
	struct look *look;		/* the current query; NULL: none */
};

static const struct { const char *word; int every_s; } kinds[WS_FEEDS] = {
	[WS_FEED_METRICS] = { "metrics", 5 },
	[WS_FEED_SESSIONS] = { "sessions", 10 },
};

/* One query of the data. feed NULL: the feed was freed meanwhile. */
struct look { struct ws_feed *feed; struct ws_client *client; struct pl_task *task; struct pl_str key;
    struct usage_filter filter; };

bool ws_feed_may(const struct ws_client *client, enum ws_feed_kind kind)
{
	return client->authed || svc_anonymous(svc_config(client->svc), kinds[kind].word);
}

static void send_data(const struct look *look, const char *type, struct pl_str data)
{
	struct pl_buf buf = PL_BUF(look->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	if (look->feed->topic != NULL)
		pl_jw_kcstr(&w, "topic", look->feed->topic);
	if (data.ptr != NULL)
		pl_jw_kraw(&w, "data", data);
	pl_jw_ktime(&w, "timestamp", pl_wall_us());
	pl_jw_end_object(&w);
	ws_client_send(look->client, &buf);
}

static bool in_prodlens_style(const struct ws_client *client)
{
	return svc_config(client->svc)->s.metrics_style == METRICS_PRODLENS;
}

/* The query is complete: data, or err. */
static void look_end(struct look *look, struct pl_str data, const struct pl_err *err)
{
	struct ws_client *client = look->client;
	struct pl_task *task = look->task;
	struct ws_feed *feed = look->feed;

	if (feed != NULL) {
		feed->look = NULL;
		if (err != NULL) {
			ws_client_error(client, PL_STR_NONE, err);
		} else if (pl_str_eq(pl_buf_str(&feed->last), data)) {
			send_data(look, "heartbeat", PL_STR_NONE);
		} else {
			send_data(look, kinds[feed->kind].word, data);
			if (feed->kind == WS_FEED_METRICS && feed->topic == NULL && in_prodlens_style(client))
				send_data(look, "metrics_update", data);
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

	look_end(look, err == NULL ? usage_kpis_json(look->task->pool, kpis,
	    in_prodlens_style(look->client), 0) : PL_STR_NONE, err);
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
		repo_usage_recent(svc->db, look->task, look->filter.user_id, look->filter.hide, SESSIONS_SHOWN,
		    on_sessions, look);
}

void ws_feed_look(struct ws_feed *feed)
{
	struct ws_client *client = feed->client;
	struct pl_task *task = ws_client_task(client);
	struct look *look = pl_alloc(task->pool, sizeof(*look));
	struct pl_err err = { 0 };
	bool standing;

	if (feed->look != NULL) {	/* the previous query still runs */
		pl_task_release(&task);
		return;
	}
	*look = (struct look){ .feed = feed, .client = ws_client_hold(client), .task = task };
	feed->look = look;
	look->filter.approved = usage_approved(task->pool, svc_config(client->svc));
	if (!usage_scope(&client->who, &look->filter, &err) ||
	    !usage_window(&look->filter, task->pool, SHAPE_NONE, SHAPE_NONE, SHAPE_NONE, &standing, &err)) {
		look_end(look, PL_STR_NONE, &err);
		return;
	}
	look->key = usage_key(task->pool, feed->kind == WS_FEED_METRICS ? "metrics" : "recent", &look->filter, true);
	if (feed->kind == WS_FEED_METRICS)
		look_at_metrics(look);
	else
		look_at_sessions(look);
}

static void feed_arm(struct ws_feed *feed)
{
	struct timeval tv = { kinds[feed->kind].every_s, 0 };

	PL_BUG(evtimer_add(feed->timer, &tv) != 0);
}

static void feed_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ws_feed *feed = arg;

	if (!ws_feed_may(feed->client, feed->kind)) {
		feed->shut(feed->arg);
		return;
	}
	feed_arm(feed);
	ws_feed_look(feed);
}

struct ws_feed *ws_feed_new(struct ws_client *client, enum ws_feed_kind kind, const char *topic,
    void (*shut)(void *arg), void *arg)
{
	struct ws_feed *feed = pl_new(sizeof(*feed));

	*feed = (struct ws_feed){ .client = client, .kind = kind, .topic = topic, .shut = shut, .arg = arg,
		.timer = evtimer_new(client->svc->worker->base, feed_on_timer, feed) };
	PL_BUG(feed->timer == NULL);
	feed_arm(feed);
	return feed;
}

void ws_feed_show(struct ws_feed *feed)
{
	if (!feed->client->authed)
		ws_timer(feed->client->conn, 0, NULL);	/* a socket that needs no token has no deadline */
	pl_buf_reset(&feed->last);
	ws_feed_look(feed);
}

void ws_feed_free(struct ws_feed **feed_at)
{
	struct ws_feed *feed = *feed_at;

	*feed_at = NULL;
	if (feed == NULL)
		return;
	if (feed->look != NULL)
		feed->look->feed = NULL;
	event_free(feed->timer);
	pl_buf_fini(&feed->last);
	pl_free(feed);
}

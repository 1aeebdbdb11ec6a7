/* SPDX-License-Identifier: ISC */
/* Topics metrics and sessions: the same data as /ws/metrics and /ws/sessions. */
#include "api/ws/ws_feed.h"
#include "api/ws/ws_topic.h"

struct feed_topic { struct ws_topic topic; struct ws_feed *feed; };

/* The setting no longer contains the feed, and the client is not signed in. */
static void on_shut(void *arg)
{
	ws_topic_end(arg, PL_E_UNAUTHORIZED);
}

static void feed_again(struct ws_topic *topic, struct ws_frame *f)
{
	struct feed_topic *feed = (struct feed_topic *)(void *)topic;

	ws_topic_opened(topic, f);
	ws_feed_show(feed->feed);
}

static void feed_open(struct ws_topic *topic, struct ws_frame *f, enum ws_feed_kind kind)
{
	struct feed_topic *feed = (struct feed_topic *)(void *)topic;

	feed->feed = ws_feed_new(topic->client, kind, topic->name, on_shut, topic);
	feed_again(topic, f);
}

static void feed_close(struct ws_topic *topic)
{
	struct feed_topic *feed = (struct feed_topic *)(void *)topic;

	ws_feed_free(&feed->feed);
}

static void feed_revisit(struct ws_topic *topic)
{
	const struct feed_topic *feed = (const struct feed_topic *)(const void *)topic;

	ws_feed_look(feed->feed);
}

static void metrics_open(struct ws_topic *topic, struct ws_frame *f)
{
	feed_open(topic, f, WS_FEED_METRICS);
}

static bool metrics_is_open(const struct ws_client *client)
{
	return ws_feed_may(client, WS_FEED_METRICS);
}

static void sessions_open(struct ws_topic *topic, struct ws_frame *f)
{
	feed_open(topic, f, WS_FEED_SESSIONS);
}

static bool sessions_is_open(const struct ws_client *client)
{
	return ws_feed_may(client, WS_FEED_SESSIONS);
}

const struct topic_ops topic_metrics = { .name = "metrics", .bytes = sizeof(struct feed_topic), .max = 1,
	.open = metrics_open, .again = feed_again, .close = feed_close, .revisit = feed_revisit,
	.is_open = metrics_is_open };
const struct topic_ops topic_sessions = { .name = "sessions", .bytes = sizeof(struct feed_topic), .max = 1,
	.open = sessions_open, .again = feed_again, .close = feed_close, .revisit = feed_revisit,
	.is_open = sessions_is_open };

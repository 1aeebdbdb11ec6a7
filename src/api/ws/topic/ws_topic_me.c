/* SPDX-License-Identifier: ISC */
/* Topic user:me: events about the user. */
#include "api/ws/ws_topic.h"
#include "svc/notify/unread.h"

struct me_topic { struct ws_topic topic; struct unread_sub *unread; };

static void me_about_user(struct ws_topic *topic, struct pl_str frame)
{
	(void)ws_send_text(topic->client->conn, frame);
}

static void me_on_unread(void *owner, struct pl_str frame)
{
	me_about_user(owner, frame);
}

static void me_open(struct ws_topic *topic, struct ws_frame *f)
{
	struct me_topic *me = (struct me_topic *)(void *)topic;

	me->unread = unread_listen(f->client->svc->unread, f->client->who.user_id, me_on_unread, topic);
	ws_topic_opened(topic, f);
}

static void me_close(struct ws_topic *topic)
{
	struct me_topic *me = (struct me_topic *)(void *)topic;

	unread_unlisten(topic->client->svc->unread, &me->unread);
}

const struct topic_ops topic_me = { .name = "user:me", .bytes = sizeof(struct me_topic), .max = 1,
	.open = me_open, .again = ws_topic_opened, .close = me_close, .about_user = me_about_user };

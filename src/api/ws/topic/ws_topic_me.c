/* SPDX-License-Identifier: ISC */
/* Topic user:me: events about the user. */
#include "api/ws/ws_topic.h"

static void me_about_user(struct ws_topic *topic, struct pl_str frame)
{
	(void)ws_send_text(topic->client->conn, frame);
}

const struct topic_ops topic_me = { .name = "user:me", .bytes = sizeof(struct ws_topic), .max = 1,
	.open = ws_topic_opened, .again = ws_topic_opened, .about_user = me_about_user };

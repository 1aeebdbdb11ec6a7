/* SPDX-License-Identifier: ISC */
/*
 * The native dialect's inside: one frame being answered, and the kinds of topics. For ws_native*.c, ws_call.c,
 * ws_feed.c and ws_watch.c.
 */
#ifndef API_WS_NATIVE_H
#define API_WS_NATIVE_H

#include "api/ws/ws_client.h"

/* In its task's pool. */
struct ws_frame {
	struct ws_client *client;		/* held while something is on its way */
	struct pl_task *task;
	struct pl_str id;
	const struct pl_jval *json;
	int64_t room_id;
};

/* {"type":type,"id":id, to be filled, finished and sent by ws_frame_finish(). */
struct pl_jw ws_frame_begin(struct pl_buf *buf, const char *type, struct pl_str id);
void ws_frame_finish(struct ws_frame *f, struct pl_jw *w);
/* "topic":"room:7" */
void ws_frame_topic(struct pl_jw *w, int64_t room_id);
/* Keeps client and task until ws_frame_end(). */
void ws_frame_hold(struct ws_frame *f);
void ws_frame_end(struct ws_frame *f);
void ws_frame_fail(struct ws_frame *f, const struct pl_err *err);
void ws_frame_fail_field(struct ws_frame *f, const char *field, const char *rule);
/* An optional whole number; false: it has failed. */
bool ws_frame_i64(struct ws_frame *f, const char *name, int64_t min, int64_t absent, int64_t *out) PL_MUSTCHECK;
/* The topic is a room's, its number in room_id; false: it has failed. */
bool ws_frame_room(struct ws_frame *f) PL_MUSTCHECK;
/* {"type":"subscribed","topic",...} with the head of a log; topics without one give 0, 0. */
struct pl_jw ws_frame_subscribed(struct ws_frame *f, struct pl_buf *buf, const char *topic,
    const struct hub_subscribed *head);
/* The server ends a topic: {"type":"unsubscribed","topic","code"}. */
void ws_native_unsubscribed(struct ws_client *client, const char *topic, enum pl_code code);
/* What comes next on a topic cannot be read now; the server tries again: {"type":"error","topic",...}. */
void ws_native_stalled(struct ws_client *client, const char *topic, const struct pl_err *err);

/* ws_native_topics.c */
void ws_on_subscribe(struct ws_frame *f);
void ws_on_unsubscribe(struct ws_frame *f);
/* May it be answered although nobody is logged in? Only where setting `anonymous` opens the topic. */
bool ws_frame_is_open(const struct ws_frame *f);

/* ws_watch.c: topics session:UUID; id in lower case */
void ws_watch_open(struct ws_frame *f, struct pl_str id);
/* Also when there is none. */
void ws_watch_close(struct ws_client *client, struct pl_str id);
void ws_watch_close_all(struct ws_client *client);
/* The socket has taken all that waited. */
void ws_watch_resume(struct ws_client *client);

/* ws_call.c: topics call:N */
void ws_call_open(struct ws_frame *f, int64_t room_id);
void ws_call_close(struct ws_client *client, int64_t room_id);
void ws_call_close_all(struct ws_client *client);
/* join, offer, answer, candidate, leave */
void ws_on_call(struct ws_frame *f);

#endif

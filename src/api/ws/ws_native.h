/* SPDX-License-Identifier: ISC */
/*
 * The native dialect's inside, for its topics.
 */
#ifndef API_WS_NATIVE_H
#define API_WS_NATIVE_H

#include "api/ws/ws_frame.h"

/* An optional whole number; false: it has failed. */
bool ws_frame_i64(struct ws_frame *f, const char *name, int64_t min, int64_t absent, int64_t *out) PL_MUSTCHECK;
/* {"type":"error"}; topic NULL: of a frame. */
void ws_native_error(struct ws_client *client, struct pl_str id, const char *topic, const struct pl_err *err);

/* ws_topic_room.c: send, typing, read */
void ws_on_send(struct ws_frame *f);
void ws_on_typing(struct ws_frame *f);
void ws_on_read(struct ws_frame *f);
/* ws_topic_call.c: join, offer, answer, candidate, leave */
void ws_on_call(struct ws_frame *f);

#endif

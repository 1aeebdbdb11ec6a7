/* SPDX-License-Identifier: ISC */
/*
 * A frame of a client that is being answered, in any dialect.
 */
#ifndef API_WS_FRAME_H
#define API_WS_FRAME_H

#include "api/ws/ws_client.h"

struct ws_topic;

/* In its task's pool; client and task are held between ws_frame_hold() and ws_frame_end(). */
struct ws_frame {
	struct ws_client *client;
	struct pl_task *task;
	struct pl_str id;			/* the client's own; absent: none */
	struct pl_str text;			/* its text, on sockets that accept plain text */
	int64_t role_id;			/* the role that must answer, on sockets of rooms; 0: none */
	const struct pl_jval *json;
	const struct ws_frame_row *row;		/* NULL: of an unknown type */
	const void *in;				/* its struct of ws_frames.h, checked */
	struct ws_topic *topic;			/* of a subscription */
	struct ws_frame *next;			/* while it waits: ws_wait.h */
};

/* Called by the socket: finds the row of the frame, and answers it, lets it wait, or refuses it. */
void ws_frame_take(struct ws_frame *f);
/* The part after waiting: limits, shape, handler. */
void ws_frame_run(struct ws_frame *f);
/* {"type":type,"id":id, to be filled, finished and sent by ws_frame_finish(). */
struct pl_jw ws_frame_begin(struct pl_buf *buf, const char *type, struct pl_str id);
void ws_frame_finish(struct ws_frame *f, struct pl_jw *w);
/* Keeps client and task until ws_frame_end(). */
void ws_frame_hold(struct ws_frame *f);
void ws_frame_end(struct ws_frame *f);
void ws_frame_fail(struct ws_frame *f, const struct pl_err *err);
void ws_frame_fail_field(struct ws_frame *f, const char *field, const char *rule);
/* The same, but counts in the class `read`: ws_client_refuse(). */
void ws_frame_refuse(struct ws_frame *f, const struct pl_err *err);

#endif

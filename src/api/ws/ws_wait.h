/* SPDX-License-Identifier: ISC */
/*
 * Frames that arrived before their socket was ready, oldest first. Each one is held while it waits.
 */
#ifndef API_WS_WAIT_H
#define API_WS_WAIT_H

#include "api/ws/ws_frame.h"

#define WS_WAIT_MAX 32

struct ws_wait { struct ws_frame *first; int count; };		/* zeroed: empty */

/* false: `max` frames already wait; this one was not added. */
bool ws_wait_push(struct ws_wait *wait, int max, struct ws_frame *f) PL_MUSTCHECK;
/* Returns the oldest; the caller calls ws_frame_end(). NULL: none. */
struct ws_frame *ws_wait_pop(struct ws_wait *wait);
/* Ends all of them without an answer. */
void ws_wait_clear(struct ws_wait *wait);

#endif

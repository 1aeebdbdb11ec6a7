/* SPDX-License-Identifier: ISC */
/*
 * Relays the frames of calls.
 */
#ifndef API_WS_CALL_H
#define API_WS_CALL_H

#include "api/ws/ws_frame.h"

struct signaling_peer;

/* One frame of a call, from a joined or joining peer. */
void ws_call_relay(struct ws_frame *f, struct signaling_peer *peer);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Internal functions of the native dialect, for its topics.
 */
#ifndef API_WS_NATIVE_H
#define API_WS_NATIVE_H

#include "api/ws/ws_frame.h"

/* {"type":"error"}; topic NULL: of a frame. */
void ws_native_error(struct ws_client *client, struct pl_str id, const char *topic, const struct pl_err *err);

#endif

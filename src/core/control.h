/* SPDX-License-Identifier: ISC */
/*
 * The protocol of the control socket: one request line, one reply, then close. The request is `VERB [ARG]\n`, the reply
 * `ok\n` or `error TEXT\n`, then text.
 *
 * Verbs: status, reload, reopen, why REQUEST_ID, metrics, stop, version, key (the id of the key that signs), and rate
 * and rate-reset (app_rate_look() and app_rate_reset() in app.h). Mode 0600: only the daemon's user and root reach it.
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include "str.h"

#define CONTROL_LINE_MAX 256

/*
 * Client side (parlourctl): blocking, 10 s at most. If there is no daemon, or if it reports an error, returns false
 * with a sentence in why[].
 */
bool control_ask(const char *socket_path, const char *line, struct pl_buf *reply, char why[512]) PL_MUSTCHECK;

#endif

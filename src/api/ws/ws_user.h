/* SPDX-License-Identifier: ISC */
/*
 * What the service layer tells all sockets of one user or login session on this worker; hooks of struct svc.
 */
#ifndef API_WS_USER_H
#define API_WS_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* svc->on_revoked: closes this worker's sockets of a login session with 4410. */
void ws_revoked(int64_t login_id);
/* svc->on_member: tells a user's sockets that listen to user:me; ends signaling of who is no longer a member. */
void ws_member(int64_t user_id, int64_t room_id, int64_t seq, bool joined);
/*
 * svc->on_user: a frame for a user's sockets that listen to user:me. session: id of the chat session that it is about;
 * "": none.
 */
void ws_user(int64_t user_id, const char *session, struct pl_str frame);

#endif

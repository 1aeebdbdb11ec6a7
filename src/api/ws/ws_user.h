/* SPDX-License-Identifier: ISC */
/*
 * Notifications of the service layer to all sockets of a user or login session on this worker; hooks of struct svc.
 */
#ifndef API_WS_USER_H
#define API_WS_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "keyring.h"

/* svc->on_revoked: closes this worker's sockets of a login session with 4410. */
void ws_revoked(int64_t login_id);
/* After a reload: closes this worker's sockets whose token was signed with a key that left the ring, with 4401. */
void ws_keys(const struct pl_keyring *keys);
/*
 * svc->on_member: notifies the sockets of a user that listen to user:me; ends the signaling of users who are no longer
 * members.
 */
void ws_member(int64_t user_id, int64_t room_id, int64_t seq, bool joined);
/*
 * svc->on_user: sends a frame to the sockets of a user that listen to user:me. session: id of the chat session that it
 * is about; "": none.
 */
void ws_user(int64_t user_id, const char *session, struct pl_str frame);

#endif

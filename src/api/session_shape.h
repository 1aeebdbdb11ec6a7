/* SPDX-License-Identifier: ISC */
/*
 * Shared by the routes of sessions.
 */
#ifndef API_SESSION_SHAPE_H
#define API_SESSION_SHAPE_H

#include "api/http/request.h"
#include "svc/session/session.h"

/* true: the caller is a user, or guests are allowed. Otherwise, sends 401 and returns false. */
bool session_admits(struct request *request) PL_MUSTCHECK;
/* Counts a new session for the address of a guest; false: the refusal was sent. Users: true. */
bool session_guest_limit(struct request *request) PL_MUSTCHECK;
struct session_caller session_caller_of(const struct request *request);

#endif

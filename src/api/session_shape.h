/* SPDX-License-Identifier: ISC */
/*
 * What the routes of sessions share.
 */
#ifndef API_SESSION_SHAPE_H
#define API_SESSION_SHAPE_H

#include "api/http/request.h"
#include "svc/session/session.h"

/* A user, or a guest where guests are let in; otherwise 401 was sent and false. */
bool session_admits(struct request *request) PL_MUSTCHECK;
/* Takes one new session from a guest's address; false: the refusal was sent. Users: true. */
bool session_guest_limit(struct request *request) PL_MUSTCHECK;
struct session_caller session_caller_of(const struct request *request);

#endif

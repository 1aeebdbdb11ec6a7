/* SPDX-License-Identifier: ISC */
/*
 * References to users in requests: by id or by name. Names are never all digits, so a path can contain either.
 */
#ifndef API_USER_REF_H
#define API_USER_REF_H

#include "api/http/request.h"

/* The id of no user: it has the same results as an unknown id. */
#define USER_REF_NOBODY (-1)

typedef void (user_ref_fn)(struct request *request, int64_t user_id);

/* Exactly one of body fields user_id (else SHAPE_NONE) and username; otherwise 422 was sent and false. */
bool user_ref_body_ok(struct request *request, int64_t user_id, struct pl_str username) PL_MUSTCHECK;
/* Finds the id of the user with that name, without regard to case; USER_REF_NOBODY if there is none. */
void user_ref_find(struct request *request, int64_t user_id, struct pl_str username, user_ref_fn *done);
/* Reads a path parameter: id or name. If it is neither, sends 404 and returns false. name_r: absent for an id. */
bool user_ref_param(struct request *request, int index, int64_t *user_id_r, struct pl_str *name_r) PL_MUSTCHECK;

#endif

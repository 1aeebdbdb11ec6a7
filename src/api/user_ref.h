/* SPDX-License-Identifier: ISC */
/*
 * Users as requests name them: by number, or by name. Names are never all digits, so a path can have either.
 */
#ifndef API_USER_REF_H
#define API_USER_REF_H

#include "api/http/request.h"

/* A user whom no request can mean: gives what an unknown number gives. */
#define USER_REF_NOBODY (-1)

typedef void (user_ref_fn)(struct request *request, int64_t user_id);

/* Exactly one of body fields user_id (else SHAPE_NONE) and username; otherwise 422 was sent and false. */
bool user_ref_body_ok(struct request *request, int64_t user_id, struct pl_str username) PL_MUSTCHECK;
/* The number of the user of that name, in any case of letters; USER_REF_NOBODY if there is none. */
void user_ref_find(struct request *request, int64_t user_id, struct pl_str username, user_ref_fn *done);
/* A path parameter: number or name. 404 was sent and false when it can be neither. name_r: absent for a number. */
bool user_ref_param(struct request *request, int index, int64_t *user_id_r, struct pl_str *name_r) PL_MUSTCHECK;

#endif

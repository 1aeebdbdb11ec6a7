/* SPDX-License-Identifier: ISC */
/*
 * A user in the form of replies.
 */
#ifndef API_USER_SHAPE_H
#define API_USER_SHAPE_H

#include "api/http/shape.h"
#include "db/repo/repo_user.h"

void user_shape(struct user_out *out, const struct user *user);

/* The one name or address in a body of shape reset_in, for a mail; absent: the refusal was sent. */
struct pl_str mail_login(struct request *request);

#endif

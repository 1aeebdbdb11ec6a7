/* SPDX-License-Identifier: ISC */
/*
 * What all logins share: who the client says it is, and the reply with tokens.
 */
#ifndef API_AUTH_SHAPE_H
#define API_AUTH_SHAPE_H

#include "api/http/request.h"

struct auth_client auth_client_of(const struct request *request);
/* An auth_tokens_fn whose arg is the request. */
void auth_reply_tokens(void *arg, const struct auth_tokens *tokens, const struct pl_err *err);

#endif

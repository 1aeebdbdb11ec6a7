/* SPDX-License-Identifier: ISC */
/*
 * Links whose holder can answer one feedback request: /r/TOKEN.
 *
 * The token contains the request and a time, with an HMAC of the token key. It is not stored. The request, which can be
 * answered once, shows whether it was used.
 */
#ifndef SVC_ANSWER_LINK_H
#define SVC_ANSWER_LINK_H

#include "core/settings.h"
#include "leaf.h"

/* id: a UUID. In pool, 55 characters. */
struct pl_str answer_link_make(const struct config *config, struct pl_pool *pool, struct pl_str id, int64_t until_s);

enum answer_link { ANSWER_LINK_GOOD, ANSWER_LINK_BAD, ANSWER_LINK_EXPIRED };
/* BAD: not of this server. id_r is filled otherwise. */
enum answer_link answer_link_read(const struct config *config, struct pl_str token, int64_t now_s,
    char id_r[PL_UUID_LEN + 1]);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Texts of the daily mail with unread notifications. Pure functions.
 */
#ifndef SVC_DIGEST_TEXT_H
#define SVC_DIGEST_TEXT_H

#include "json.h"

/*
 * content: payload of the job, as SQL function digest_make() gives it: username, total, and lines of kind, actor, room,
 * and count.
 */
struct pl_str digest_subject(struct pl_pool *pool, const struct pl_jval *content, const char *server_name);
/* page, stop: addresses of the inbox and of the page that ends the mails; absent: there is no public_url. */
struct pl_str digest_body(struct pl_pool *pool, const struct pl_jval *content, const char *server_name,
    struct pl_str page, struct pl_str stop);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The link that ends the daily mails of a user. Its token is signed with key_file, and valid as long as the key.
 */
#ifndef SVC_NOTIFY_LINK_H
#define SVC_NOTIFY_LINK_H

#include "core/settings.h"

/* In pool, 34 characters. */
struct pl_str notify_link_make(const struct config *config, struct pl_pool *pool, int64_t user_id);
/* false: not a token of this server; *user_id_r is then undefined. */
bool notify_link_read(const struct config *config, struct pl_str token, int64_t *user_id_r) PL_MUSTCHECK;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Finds the owner of an API key: a bounded cache per worker in front of PostgreSQL. For auth_token.c.
 */
#ifndef SVC_APIKEY_CHECK_H
#define SVC_APIKEY_CHECK_H

#include "svc/account/auth.h"

struct apikey_cache;
struct apikey_cache *apikey_cache_new(void);
void apikey_cache_free(struct apikey_cache **cache);

/*
 * Without I/O. Fills who->key. true with who->ask: the caller must call apikey_find(), which asks PostgreSQL. `from`:
 * the address for which failed look-ups count. Errors: PL_E_UNAUTHORIZED, PL_E_TOKEN_EXPIRED, PL_E_REVOKED, PL_E_RATE
 * (too many failed look-ups).
 */
bool apikey_check(struct svc *svc, struct apikey_cache *cache, const struct config *config, struct pl_str text,
    const struct pl_caller *from, struct auth_who *who, struct pl_err *err) PL_MUSTCHECK;
/* Fills *who, which must live as long as the task. */
void apikey_find(struct svc *svc, struct apikey_cache *cache, struct pl_task *task, struct auth_who *who,
    db_done_fn *done, void *arg);

#endif

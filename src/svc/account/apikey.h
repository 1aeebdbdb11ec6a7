/* SPDX-License-Identifier: ISC */
/*
 * API keys of users: making, changing, and revoking them. Checking one is auth.h's business, like that of any token.
 */
#ifndef SVC_APIKEY_H
#define SVC_APIKEY_H

#include "db/repo/repo_apikey.h"
#include "svc/svc.h"

/* text: the key itself, which nobody can show again; in the task's pool. */
typedef void (apikey_made_fn)(void *arg, const struct apikey *key, struct pl_str text, const struct pl_err *err);

/* Is it a limit that a key can have? "off" is not: a key has at most what rate_key allows. */
bool apikey_rate(struct pl_str text, struct pl_rate *rate_r) PL_MUSTCHECK;
/*
 * A new key of the task's caller; in->most is filled here. Errors: as repo_apikey_create().
 */
void apikey_create(struct svc *svc, const struct config *config, struct pl_task *task, const struct apikey_new *in,
    apikey_made_fn *done, void *arg);
/* What it changes counts at the next request in every worker. */
void apikey_patch(struct svc *svc, struct pl_task *task, int64_t id, const struct apikey_change *change,
    repo_apikey_fn *done, void *arg);
/* PL_E_NOT_FOUND. Counts at the next request in every worker; sockets are closed. */
void apikey_revoke(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

#endif

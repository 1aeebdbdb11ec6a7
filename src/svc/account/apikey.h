/* SPDX-License-Identifier: ISC */
/*
 * API keys of users: creates, changes, and revokes them. auth.h checks them, like any token.
 */
#ifndef SVC_APIKEY_H
#define SVC_APIKEY_H

#include "db/repo/repo_apikey.h"
#include "svc/svc.h"

/* text: the key itself, which cannot be shown again; in the pool of the task. */
typedef void (apikey_made_fn)(void *arg, const struct apikey *key, struct pl_str text, const struct pl_err *err);

/* Returns whether a key can have this limit. "off" is not allowed, because rate_key limits every key. */
bool apikey_rate(struct pl_str text, struct pl_rate *rate_r) PL_MUSTCHECK;
/* Creates a key of the caller of the task; in->most is filled here. Errors: as repo_apikey_create(). */
void apikey_create(struct svc *svc, const struct config *config, struct pl_task *task, const struct apikey_new *in,
    apikey_made_fn *done, void *arg);
/* The change takes effect at the next request in every worker. */
void apikey_patch(struct svc *svc, struct pl_task *task, int64_t id, const struct apikey_change *change,
    repo_apikey_fn *done, void *arg);
/* PL_E_NOT_FOUND. Takes effect at the next request in every worker; sockets are closed. */
void apikey_revoke(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

#endif

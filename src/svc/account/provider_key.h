/* SPDX-License-Identifier: ISC */
/*
 * Keys of users for providers of models: encrypted in the database, shown masked, used only for queries of their owner.
 *
 * A key that cannot be decrypted (its ring key is missing, or the row was moved or damaged) is shown as unreadable, and
 * the key of the upstream is used instead.
 */
#ifndef SVC_PROVIDER_KEY_H
#define SVC_PROVIDER_KEY_H

#include "svc/svc.h"

#define PROVIDER_KEY_MIN 8
#define PROVIDER_KEY_MAX 512

/* masked: its first and last four characters; absent when the key cannot be opened. */
struct provider_key { struct pl_str provider, masked; int64_t created_us, updated_us; };
struct provider_key_list { const struct provider_key *rows; int count; };
typedef void (provider_key_list_fn)(void *arg, const struct provider_key_list *list, const struct pl_err *err);

/* Returns whether keys can be stored for this provider. */
bool provider_key_has(struct pl_str provider);
/* NULL, or the rule that the key breaks. */
const char *provider_key_fault(struct pl_str key);
/* Stores or replaces the key of the caller; returns its row. In the audit trail, like deletion. */
void provider_key_put(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str provider,
    struct pl_str key, provider_key_list_fn *done, void *arg);
/* The keys of the caller, by provider; provider absent: all. An empty list is not an error. */
void provider_key_list(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str provider,
    provider_key_list_fn *done, void *arg);

/* A key of the caller. PL_E_NOT_FOUND. */
void provider_key_delete(struct svc *svc, struct pl_task *task, struct pl_str provider, db_done_fn *done, void *arg);

/* key: absent when the user has none for it; in the task's pool, wiped with it. */
typedef void (provider_key_fn)(void *arg, struct pl_str key, const struct pl_err *err);
/*
 * Finds the key of the user for an upstream, by the provider of the upstream; other upstreams never get a key. Async:
 * done once, never before return; needs the database only if such a key can exist.
 *   errors: as the database's
 */
void provider_key_find(struct svc *svc, const struct config *config, struct pl_task *task, int64_t user_id,
    const struct upstream_settings *upstream, provider_key_fn *done, void *arg);
/* Returns whether a key can exist. false: provider_key_find() need not be called. */
bool provider_key_wanted(int64_t user_id, const struct upstream_settings *upstream);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Keys of users for providers of models, encrypted (table provider_keys).
 */
#ifndef DB_REPO_PROVIDER_KEY_H
#define DB_REPO_PROVIDER_KEY_H

#include "db/db.h"

struct sealed_key { struct pl_str provider, sealed; int64_t created_us, updated_us; };
struct sealed_key_list { const struct sealed_key *rows; int count; };
typedef void (repo_provider_key_list_fn)(void *arg, const struct sealed_key_list *list, const struct pl_err *err);

/* Stores or replaces; gives the one row. */
void repo_provider_key_put(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    struct pl_str sealed, repo_provider_key_list_fn *done, void *arg);
/* By provider; provider absent: all of the user. An empty list is not an error. */
void repo_provider_key_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    repo_provider_key_list_fn *done, void *arg);
/* PL_E_NOT_FOUND. */
void repo_provider_key_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    db_done_fn *done, void *arg);

#endif

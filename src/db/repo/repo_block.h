/* SPDX-License-Identifier: ISC */
/*
 * Users whom a user has blocked (table blocks).
 */
#ifndef DB_REPO_BLOCK_H
#define DB_REPO_BLOCK_H

#include "db/db.h"

struct block { int64_t user_id; struct pl_str username, name; int64_t created_us; };
struct block_list { const struct block *rows; int count; };
typedef void (repo_block_list_fn)(void *arg, const struct block_list *list, const struct pl_err *err);

/*
 * By id (name absent) or by name; repeating it changes nothing. whom: setting user_directory. PL_E_NOT_FOUND: also a
 * user whom this one cannot see. PL_E_CONFLICT: the user blocks themselves, or has blocked `most` users.
 */
void repo_block_add(struct db *db, struct pl_task *task, int64_t user_id, const char *whom, int64_t id,
    struct pl_str name, int64_t most, db_done_fn *done, void *arg);
/* PL_E_NOT_FOUND: this user is not blocked. */
void repo_block_remove(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, struct pl_str name,
    db_done_fn *done, void *arg);
/* All blocks, ascending by id of the user. */
void repo_block_list(struct db *db, struct pl_task *task, int64_t user_id, repo_block_list_fn *done, void *arg);

#endif

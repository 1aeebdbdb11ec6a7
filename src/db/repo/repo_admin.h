/* SPDX-License-Identifier: ISC */
/*
 * Data for operators (table limit_hits), and deletion of old rows by the clerk.
 */
#ifndef DB_REPO_ADMIN_H
#define DB_REPO_ADMIN_H

#include "core/shm_parts.h"
#include "db/db.h"

/* Stores refusals that were drained from shared memory; one row each. */
void repo_limit_hits_add(struct db *db, struct pl_task *task, const struct shm_refusal *refusals, int count,
    db_done_fn *done, void *arg);

struct limit_hit { struct pl_str klass, username, address; int64_t user_id, count, first_us, last_us; };
struct limit_hit_list { const struct limit_hit *rows; int count; };
typedef void (repo_limit_hit_list_fn)(void *arg, const struct limit_hit_list *list, const struct pl_err *err);
/* Newest first, since `since_us`. */
void repo_limit_hit_list(
    struct db *db, struct pl_task *task, int64_t since_us, int limit, repo_limit_hit_list_fn *done, void *arg);

struct purge_limits { int rows, audit_days; int64_t export_keep_ms; };
/*
 * Deletes at most `rows` rows of each: idempotency keys over 24 h, login sessions ended or expired for over 30 days,
 * limit hits over 30 days, rows of the audit trail over audit_days (at least 30), exports over export_keep_ms.
 * Returns the number of deleted rows; call it again until this is 0.
 */
void repo_purge(struct db *db, struct pl_task *task, const struct purge_limits *limits, db_count_fn *done, void *arg);

#endif

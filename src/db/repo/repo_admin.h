/* SPDX-License-Identifier: ISC */
/*
 * What operators look at (tables limit_hits, audit), and what the clerk throws away.
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

struct audit_row {
	int64_t id, actor_id;			/* actor 0: the system */
	struct pl_str actor_name;		/* filled by the list */
	struct pl_str action;			/* "login", "refresh reuse", "user disabled" ... */
	struct pl_str target;			/* "user:7"; absent: none */
	struct pl_str address, request_id;	/* absent: none */
	struct pl_str body;			/* JSON object text; absent: none. No secrets. */
	int64_t created_us;
};
struct audit_list { const struct audit_row *rows; int count; bool more; };
typedef void (repo_audit_list_fn)(void *arg, const struct audit_list *list, const struct pl_err *err);
/* id, actor_name, created_us are not read; actor, address and request id absent/0 come from the task. */
void repo_audit_add(struct db *db, struct pl_task *task, const struct audit_row *row, db_done_fn *done, void *arg);
/* Newest first, ids < before (0: from the end). actor_id -1: anybody. */
void repo_audit_list(struct db *db, struct pl_task *task, int64_t actor_id, int64_t before, int limit,
    repo_audit_list_fn *done, void *arg);

/*
 * Throws away at most `limit` rows of each: idempotency keys over 24 h, login sessions ended or expired for over 30
 * days, limit hits over 30 days. Gives how many; call again while that is not 0.
 */
void repo_purge(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

#endif

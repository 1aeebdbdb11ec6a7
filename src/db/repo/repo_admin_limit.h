/* SPDX-License-Identifier: ISC */
/*
 * Lock-outs, and refusals by rate limits, for operators and admins.
 */
#ifndef DB_REPO_ADMIN_LIMIT_H
#define DB_REPO_ADMIN_LIMIT_H

#include "db/db.h"

/* A lock-out, or a user or address whose rate may be used up: shared memory has the state of the rate. */
struct admin_limit {
	bool lockout;
	struct pl_str klass;		/* of a rate */
	int64_t user_id, key_id;	/* 0: none */
	struct pl_str key_rate;		/* of the API key itself; absent: none */
	struct pl_str username, address;	/* of a lock-out: network; absent: none */
	/* rate: refusals in the last hour, of an API key those of all keys of the user; lock-out: how many in a row */
	int64_t refused;
	int64_t until_us;		/* end of the lock-out; of a rate the last refusal; 0: never */
};
struct admin_limit_list { const struct admin_limit *rows; int count; };
typedef void (repo_admin_limits_fn)(void *arg, const struct admin_limit_list *list, const struct pl_err *err);
/* user: name or number. Both absent: all. Lock-outs first; at most `limit`. */
void repo_admin_limits(struct db *db, struct pl_task *task, struct pl_str user, struct pl_str address, int limit,
    repo_admin_limits_fn *done, void *arg);

struct admin_limits_reset { int64_t user_id, lockouts; const int64_t *keys; int keys_count; };
typedef void (repo_admin_limits_reset_fn)(void *arg, const struct admin_limits_reset *reset, const struct pl_err *err);
/*
 * Ends the lock-outs of a user, or only records the reset of an address, on behalf of the caller of the task. Exactly
 * one of user and address. PL_E_NOT_FOUND, PL_E_FORBIDDEN: the caller is not above the user.
 */
void repo_admin_limits_reset(struct db *db, struct pl_task *task, struct pl_str user, struct pl_str address,
    repo_admin_limits_reset_fn *done, void *arg);

#endif

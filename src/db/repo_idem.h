/* SPDX-License-Identifier: ISC */
/*
 * Idempotency-Key (table idempotency_keys): per (user, route, key), kept 24 hours.
 */
#ifndef DB_REPO_IDEM_H
#define DB_REPO_IDEM_H

#include "db/db.h"

struct idem_key {
	int64_t user_id;		/* 0: nobody; then `key` should carry the address */
	struct pl_str route, key;	/* "POST /api/rooms"; 1..255 bytes */
};
/* fresh: do the work, then finish or forget. Otherwise the stored reply. */
struct idem_begun { bool fresh; int status; struct pl_str body, location; };
typedef void (repo_idem_fn)(void *arg, const struct idem_begun *begun, const struct pl_err *err);

/*
 * Takes the key. PL_E_CONFLICT: it was used with another body (body_sha256 differs); PL_E_IN_PROGRESS: the first
 * request still runs (a claim older than 60 s without reply counts as dead and is taken over).
 */
void repo_idem_begin(struct db *db, struct pl_task *task, const struct idem_key *key,
    const unsigned char body_sha256[32], repo_idem_fn *done, void *arg);
/* Stores the reply; location absent: none. */
void repo_idem_finish(struct db *db, struct pl_task *task, const struct idem_key *key, int status, struct pl_str body,
    struct pl_str location, db_done_fn *done, void *arg);
/* The work failed in a way that may be tried again: frees the key. */
void repo_idem_forget(struct db *db, struct pl_task *task, const struct idem_key *key, db_done_fn *done, void *arg);

#endif

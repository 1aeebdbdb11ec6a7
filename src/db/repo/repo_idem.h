/* SPDX-License-Identifier: ISC */
/*
 * Idempotency-Key (table idempotency_keys): per (user, route, key), kept 24 hours. The key is a struct pl_once; without
 * a user its `key` should carry the address. Route and key are 1 to 255 bytes.
 */
#ifndef DB_REPO_IDEM_H
#define DB_REPO_IDEM_H

#include "db/db.h"

/*
 * fresh: do the work with task->once set, then finish, forget, or release. Otherwise, this is the stored reply. If
 * there is none (status 0), the work was done, and `made` is the id of the created object: build the reply from it,
 * then finish.
 */
struct idem_begun {
	bool fresh, made_new;		/* made_new: the object did not exist before */
	int status;
	struct pl_str body, location, made;
	int64_t claim, born_us;		/* born: time of the first request with the key */
};
typedef void (repo_idem_fn)(void *arg, const struct idem_begun *begun, const struct pl_err *err);

/*
 * Claims the key. PL_E_CONFLICT: it was used with another body (body_sha256 differs); PL_E_IN_PROGRESS: the first
 * request still runs. A claim that was released, or is older than 60 s, is taken over; its old holder can no longer do
 * the work.
 */
void repo_idem_begin(struct db *db, struct pl_task *task, const struct pl_once *once,
    const unsigned char body_sha256[32], repo_idem_fn *done, void *arg);
/* Stores the reply; location absent: none. */
void repo_idem_finish(struct db *db, struct pl_task *task, const struct pl_once *once, int status, struct pl_str body,
    struct pl_str location, db_done_fn *done, void *arg);
/* Frees the key if nothing was done; otherwise, no effect. */
void repo_idem_forget(struct db *db, struct pl_task *task, const struct pl_once *once, db_done_fn *done, void *arg);
/* The outcome of the work is unknown: the next request with the key takes over at once. */
void repo_idem_release(struct db *db, struct pl_task *task, const struct pl_once *once, db_done_fn *done, void *arg);

/*
 * For the connections: the statement that precedes a write with that key in the same transaction. Free it with
 * pgquery_free().
 */
struct pgquery *repo_idem_work(struct db *db, const struct pl_once *once);

#endif

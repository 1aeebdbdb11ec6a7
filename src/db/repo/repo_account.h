/* SPDX-License-Identifier: ISC */
/*
 * Deletion of the caller's account.
 */
#ifndef DB_REPO_ACCOUNT_H
#define DB_REPO_ACCOUNT_H

#include "db/repo/repo_mfa.h"

/*
 * Makes the account of the task's caller a tombstone, ends its login sessions, and queues the rest. password_hash: the
 * hash that the given password fits. proof NULL: none was given. erase: its messages become empty. PL_E_NOT_FOUND:
 * the account is gone or disabled, or has another password by now; PL_E_CONFLICT: the last admin; PL_E_BAD_LOGIN: the
 * second factor is on, and the proof is wrong or was used.
 */
void repo_account_delete(struct db *db, struct pl_task *task, struct pl_str password_hash,
    const struct mfa_proof *proof, bool erase, repo_ended_fn *done, void *arg);

#endif

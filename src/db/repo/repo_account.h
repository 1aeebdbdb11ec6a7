/* SPDX-License-Identifier: ISC */
/*
 * Deletion of the caller's account.
 */
#ifndef DB_REPO_ACCOUNT_H
#define DB_REPO_ACCOUNT_H

#include "db/repo/repo_confirm.h"

/*
 * Makes the account of the task's caller a tombstone, ends its login sessions, and queues the rest. erase: its
 * messages become empty. PL_E_CONFLICT: the last admin; and those of repo_confirm.h.
 */
void repo_account_delete(struct db *db, struct pl_task *task, const struct confirmation *by, bool erase,
    repo_ended_fn *done, void *arg);

#endif

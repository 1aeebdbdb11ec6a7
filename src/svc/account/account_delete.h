/* SPDX-License-Identifier: ISC */
/*
 * Deletion of accounts. The account becomes a tombstone at once, and its login sessions end; a job does the rest.
 */
#ifndef SVC_ACCOUNT_DELETE_H
#define SVC_ACCOUNT_DELETE_H

#include "svc/account/confirm.h"

/* Deletes the account of the task's caller. PL_E_CONFLICT: the last admin; and the errors of confirm_start(). */
void account_delete(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, db_done_fn *done, void *arg);

#endif

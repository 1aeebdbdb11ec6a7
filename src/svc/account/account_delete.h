/* SPDX-License-Identifier: ISC */
/*
 * Deletion of accounts. The account is a tombstone at once, and its login sessions end; the rest follows in a job.
 */
#ifndef SVC_ACCOUNT_DELETE_H
#define SVC_ACCOUNT_DELETE_H

#include "svc/account/mfa.h"

/* What the owner gave. given: code or recovery_code; both absent: none. `loc`: of the fields, for errors. */
struct account_proof {
	struct pl_str password;
	struct mfa_given given;
	const char *loc_password, *loc_code;
};
/*
 * Deletes the account of the task's caller. PL_E_INVALID with the field: the password or the code is wrong, or a code
 * is needed; PL_E_CONFLICT: the last admin; PL_E_UNAUTHORIZED: the account is gone. Hasher's errors.
 */
void account_delete(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct account_proof *proof, db_done_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Confirms sensitive acts of users on their own account: with the current password, and with a code if a second factor
 * is on. Every wrong password and every wrong code counts for the lock-out, and during a lock the reply is that for a
 * wrong password. An account without a password confirms with a login through its identity provider that is at most 5
 * minutes old.
 *
 *   confirm_start()   compares the password, and finds what the code proves: a struct confirmation
 *   repo_*()          the statement of the act checks the confirmation again, and uses the code up
 *   confirm_result()  what the statement refused becomes the same error as before
 */
#ifndef SVC_CONFIRM_H
#define SVC_CONFIRM_H

#include "db/repo/repo_confirm.h"
#include "svc/svc.h"

/* What the client gave for the second factor; one of the two, the other is absent; both absent: nothing. */
struct mfa_given { struct pl_str code, recovery_code; };

/* password: absent if not given. loc_*: of the fields, for errors. */
struct confirm_given {
	struct pl_str password;
	struct mfa_given given;
	const char *loc_password, *loc_code;
};

struct confirm;
/* by is valid as long as the task. */
typedef void (confirm_fn)(void *arg, const struct confirmation *by, const struct pl_err *err);
/*
 * Checks what the task's caller gave for `act`, which names the act in the audit trail: "password change". no_code: the
 * act is only for accounts without a second factor, so that no code is asked for. Errors: PL_E_INVALID with the field:
 * wrong or missing; PL_E_SIGN_IN_AGAIN; PL_E_UNAUTHORIZED: the account is gone; the hasher's errors.
 */
struct confirm *confirm_start(struct svc *svc, const struct config *config, struct pl_task *task, const char *act,
    const struct confirm_given *given, bool no_code, confirm_fn *done, void *arg);
/*
 * The error of the act's statement, for the client: those of repo_confirm.h become the errors above. NULL stays NULL.
 * *mine has room for it.
 */
const struct pl_err *confirm_result(struct confirm *c, const struct pl_err *err, struct pl_err *mine);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Confirmations: what a user gave before a sensitive act on the own account (SQL type confirmation). The statement of
 * the act checks the confirmation again in its transaction.
 *
 * Errors of these statements: PL_E_UNAUTHORIZED: the account has another password by now, or logins from the network
 * of the caller are locked; PL_E_BAD_LOGIN: the code of the second factor is wrong or was used; PL_E_SIGN_IN_AGAIN: the
 * account has no password, and the login session is older than 5 minutes; PL_E_REVOKED: the account is gone or
 * disabled.
 */
#ifndef DB_REPO_CONFIRM_H
#define DB_REPO_CONFIRM_H

#include "db/repo/repo_user.h"

struct mfa_hash { unsigned char sha256[32]; };
/*
 * What proves the second factor: the step whose code was given for the secret `sealed`, or (step 0) a recovery code.
 */
struct mfa_proof { int64_t step; struct pl_str sealed; struct mfa_hash recovery; };

/* password_hash: the hash that the given password fits; absent: the account has no password. */
struct confirmation { struct pl_str password_hash; struct mfa_proof proof; };

/*
 * password_hash: absent: none. sealed: of the authenticator app, absent: there is no secret; confirmed: it counts.
 * locked: logins from the network of the caller are; recent: the login session is at most 5 minutes old.
 */
struct confirm_state { struct pl_str password_hash, sealed; bool second_factor, confirmed, locked, recent; };
typedef void (repo_confirm_state_fn)(void *arg, const struct confirm_state *state, const struct pl_err *err);
/* Of the task's caller. PL_E_NOT_FOUND: the account is gone or disabled. */
void repo_confirm_state(struct db *db, struct pl_task *task, repo_confirm_state_fn *done, void *arg);

#endif

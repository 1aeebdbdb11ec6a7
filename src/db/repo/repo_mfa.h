/* SPDX-License-Identifier: ISC */
/*
 * Second factors (tables second_factors, recovery_codes, mfa_tickets). Secrets are encrypted when they arrive here; of
 * recovery codes and tickets, only hashes are known here.
 */
#ifndef DB_REPO_MFA_H
#define DB_REPO_MFA_H

#include "db/repo/repo_confirm.h"

/* has_password: of the account. */
struct mfa_state { bool on, has_password; int64_t confirmed_us, codes_left; };
typedef void (repo_mfa_state_fn)(void *arg, const struct mfa_state *state, const struct pl_err *err);
/* PL_E_NOT_FOUND: no such user. */
void repo_mfa_state(struct db *db, struct pl_task *task, int64_t user_id, repo_mfa_state_fn *done, void *arg);

/*
 * A ticket for the second step of a login. PL_E_NOT_FOUND: the account is disabled, has no second factor, or another
 * password by now.
 */
void repo_mfa_ticket_add(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str password_hash,
    const struct mfa_hash *ticket, db_done_fn *done, void *arg);
struct mfa_ticket { int64_t user_id; struct pl_str sealed; };
typedef void (repo_mfa_ticket_fn)(void *arg, const struct mfa_ticket *ticket, const struct pl_err *err);
/* PL_E_NOT_FOUND: unknown, used, or expired. */
void repo_mfa_ticket(struct db *db, struct pl_task *task, const struct mfa_hash *ticket, repo_mfa_ticket_fn *done,
    void *arg);
struct mfa_login { int64_t user_id, login_id, counter, expires_us; };
typedef void (repo_mfa_login_fn)(void *arg, const struct mfa_login *login, const struct pl_err *err);
/*
 * Creates the login session for a ticket and a proof, each of which is valid once. step 0: the recovery code. life_us:
 * until the refresh token expires. PL_E_BAD_LOGIN: the code is wrong or was used. PL_E_NOT_FOUND: as above.
 */
void repo_mfa_login(struct db *db, struct pl_task *task, const struct mfa_hash *ticket, const struct mfa_proof *proof,
    int64_t life_us, struct pl_str user_agent, repo_mfa_login_fn *done, void *arg);

/* Stores a secret that does not count yet. PL_E_CONFLICT: there is one that does; and those of repo_confirm.h. */
void repo_totp_begin(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str sealed,
    db_done_fn *done, void *arg);
/*
 * Turns the second factor on, with these recovery codes; ends all login sessions but that of the caller of the task.
 * PL_E_NOT_FOUND: the secret was replaced, or is on already.
 */
void repo_totp_confirm(struct db *db, struct pl_task *task, struct pl_str sealed, int64_t step,
    const struct mfa_hash *codes, int count, repo_ended_fn *done, void *arg);
/* Turns it off. PL_E_CONFLICT: it is off; and those of repo_confirm.h. */
void repo_totp_off(struct db *db, struct pl_task *task, const struct confirmation *by, db_done_fn *done, void *arg);
/* Other recovery codes. Errors: the same. */
void repo_recovery_renew(struct db *db, struct pl_task *task, const struct confirmation *by,
    const struct mfa_hash *codes, int count, db_done_fn *done, void *arg);

#endif

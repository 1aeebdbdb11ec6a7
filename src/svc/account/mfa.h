/* SPDX-License-Identifier: ISC */
/*
 * Second factors: codes of an authenticator app (TOTP, lib/totp.h), and recovery codes. Secrets are encrypted in the
 * database and bound to their user; recovery codes and tickets are stored as hashes.
 */
#ifndef SVC_MFA_H
#define SVC_MFA_H

#include "db/repo/repo_mfa.h"
#include "svc/account/auth.h"
#include "svc/account/confirm.h"

#define MFA_CODES 10			/* recovery codes of an account */

/* Must accounts with this access level have a second factor? */
bool mfa_must(const struct config *config, int access);

/* mfa_login.c */
typedef void (mfa_ticket_fn)(void *arg, struct pl_str ticket, const struct pl_err *err);
/*
 * Creates a ticket for the second step, after the password was checked. PL_E_NOT_FOUND: the account has changed
 * meanwhile.
 */
void mfa_ticket_make(struct svc *svc, struct pl_task *task, const struct user *user, mfa_ticket_fn *done, void *arg);
/*
 * The second step of a login: login session and tokens. PL_E_BAD_LOGIN: the code is wrong, or was used; the ticket
 * allows four more attempts. PL_E_UNAUTHORIZED: the ticket is invalid or has expired.
 */
void mfa_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str ticket,
    struct mfa_given given, struct auth_client client, auth_tokens_fn *done, void *arg);
/* The context to which an encrypted secret is bound. */
struct pl_str mfa_context(struct pl_pool *pool, int64_t user_id);
/* The data that PostgreSQL checks; `sealed` is the user's secret. */
void mfa_proof_make(const struct config *config, struct pl_task *task, int64_t user_id, struct pl_str sealed,
    struct mfa_given given, struct mfa_proof *proof_r);
/* The hash of a recovery code. Case, blanks, and hyphens are ignored. */
void mfa_recovery_hash(struct pl_pool *pool, int64_t user_id, struct pl_str code, struct mfa_hash *hash_r);
/* The step of a code for a sealed secret; -1: it is wrong. */
int64_t mfa_step(const struct config *config, struct pl_task *task, int64_t user_id, struct pl_str sealed,
    struct pl_str code);

/* mfa.c: all for the task's caller; errors of confirm_start() */
struct totp_made { struct pl_str secret, uri; };
typedef void (totp_made_fn)(void *arg, const struct totp_made *made, const struct pl_err *err);
/* A new secret, which does not count before totp_confirm(). PL_E_CONFLICT: a second factor is on. */
void totp_begin(struct svc *svc, const struct config *config, struct pl_task *task, const struct confirm_given *given,
    totp_made_fn *done, void *arg);
typedef void (mfa_codes_fn)(void *arg, const struct pl_str codes[MFA_CODES], const struct pl_err *err);
/*
 * Turns it on; ends the caller's other login sessions. PL_E_CONFLICT: nothing waits for it. A wrong code counts as in
 * confirm.h.
 */
void totp_confirm(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str code,
    mfa_codes_fn *done, void *arg);
/* PL_E_CONFLICT: it is off. */
void totp_off(struct svc *svc, const struct config *config, struct pl_task *task, const struct confirm_given *given,
    db_done_fn *done, void *arg);
void mfa_codes_renew(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, mfa_codes_fn *done, void *arg);

#endif

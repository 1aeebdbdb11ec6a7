/* SPDX-License-Identifier: ISC */
/*
 * E-mail addresses of accounts: they are verified and changed by links that a courier mails (account_mail).
 */
#ifndef SVC_EMAIL_H
#define SVC_EMAIL_H

#include "svc/account/confirm.h"

/* Returns whether this server can mail links. false: PL_E_UNSUPPORTED with the missing settings. err may be NULL. */
bool email_links(const struct config *config, struct pl_err *err);
/* Returns whether a new account gets a mail with a link that verifies its address. */
bool email_at_start(const struct config *config) PL_MUSTCHECK;
/* Returns whether this user must verify the address before a login (setting require_email_verification). */
bool email_must_verify(const struct config *config, const struct user *user) PL_MUSTCHECK;
/*
 * Queues a mail with a link that verifies the address of the account with this user name or address. `done` does not
 * depend on whether it exists: the courier looks it up.
 */
void email_verify_ask(struct svc *svc, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg);
/* The same for a new account. */
void email_verify_new(struct svc *svc, struct pl_task *task, int64_t user_id, db_done_fn *done, void *arg);
/* Uses the token of such a link. PL_E_INVALID: it is not valid; PL_E_TAKEN: another account has the address. */
void email_verify(struct svc *svc, struct pl_task *task, struct pl_str token, db_done_fn *done, void *arg);
/*
 * Another address for the task's caller: true in `done` when it counts already, false when a link was mailed to it.
 * PL_E_INVALID: the address is that of the account; and the errors of confirm_start().
 */
void email_change(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str email,
    const struct confirm_given *given, db_done_fn *done, void *arg);

#endif

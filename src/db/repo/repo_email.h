/* SPDX-License-Identifier: ISC */
/*
 * E-mail addresses of accounts: links that verify and change them (table account_tokens).
 */
#ifndef DB_REPO_EMAIL_H
#define DB_REPO_EMAIL_H

#include "db/repo/repo_confirm.h"

/*
 * Queues a mail with a link that verifies the address of a user (login absent), or of the account with this user name
 * or address. Does not look it up.
 */
void repo_email_verify_ask(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str login, db_done_fn *done,
    void *arg);
/*
 * Uses the token with this SHA-256. PL_E_NOT_FOUND: it is unknown, used, or expired, or the account is disabled or has
 * another address. PL_E_TAKEN: another account has verified the address.
 */
void repo_email_verify(struct db *db, struct pl_task *task, const unsigned char sha256[32], db_done_fn *done,
    void *arg);
/*
 * Another address for the task's caller. mail: links can be mailed, the address counts after its link was used; else it
 * counts at once. PL_E_INVALID (the account has it), PL_E_TAKEN (without mail only), and those of repo_confirm.h.
 */
void repo_email_change(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str email,
    bool mail, db_done_fn *done, void *arg);

#endif

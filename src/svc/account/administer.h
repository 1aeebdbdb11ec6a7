/* SPDX-License-Identifier: ISC */
/*
 * Administration of other people's accounts by operators and admins.
 *
 * Nobody can change an account of the same or a higher level, or grant a level above their own, except that admins may
 * change admins. The database checks that when it changes the account. When login sessions end, every worker refuses
 * their tokens at once. Every change is recorded in the audit trail.
 */
#ifndef SVC_ADMINISTER_H
#define SVC_ADMINISTER_H

#include "db/repo/repo_admin_login.h"
#include "db/repo/repo_admin_user.h"
#include "svc/svc.h"

/*
 * May the task's caller grant or change access levels? Not with an API key, because a copy of the key would then be
 * enough to keep these rights after it was revoked. false: PL_E_KEY_REFUSED.
 */
bool administer_may_grant(const struct pl_task *task, struct pl_err *err) PL_MUSTCHECK;
/* May an account have this name and password (absent: one is generated)? PL_E_INVALID with the field. */
bool administer_may_create(const struct config *config, struct pl_pool *pool, struct pl_str username,
    struct pl_str password, struct pl_err *err) PL_MUSTCHECK;
/*
 * Creates an account; in->password_hash is ignored. password absent: one is generated and returned. Name and password
 * passed administer_may_create(). Errors of repo_admin_user_create() and of the hasher.
 */
struct administer_made { int64_t id; struct pl_str password; };	/* absent: it was given */
typedef void (administer_made_fn)(void *arg, const struct administer_made *made, const struct pl_err *err);
void administer_create(struct svc *svc, struct pl_task *task, const struct user_new *in, struct pl_str password,
    administer_made_fn *done, void *arg);
/* access absent, disabled -1: unchanged. Errors of repo_admin_user_change(). */
void administer_change(struct svc *svc, struct pl_task *task, int64_t id, struct pl_str access, int disabled,
    db_done_fn *done, void *arg);
/* Ends all login sessions. Errors of repo_admin_user_logout(). */
void administer_logout(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);
/* Ends one login session or API key. Errors of repo_admin_login_end(). */
void administer_login_end(struct svc *svc, struct pl_task *task, int64_t login_id, db_done_fn *done, void *arg);
/* Removes the second factor, and ends all login sessions. Errors of repo_admin_user_mfa_off(). */
void administer_mfa_off(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

/* Deletes an account, and ends its login sessions: repo_admin_user_delete(). */
void administer_delete(struct svc *svc, const struct config *config, struct pl_task *task, int64_t id, db_done_fn *done,
    void *arg);

#endif

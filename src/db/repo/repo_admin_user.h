/* SPDX-License-Identifier: ISC */
/*
 * Accounts as operators and admins see and change them.
 */
#ifndef DB_REPO_ADMIN_USER_H
#define DB_REPO_ADMIN_USER_H

#include "db/repo/repo_user.h"

struct admin_user { struct user user; int64_t logins, last_used_us; };	/* last_used_us 0: never */
struct admin_user_list { const struct admin_user *rows; int count; bool more; };
typedef void (repo_admin_user_fn)(void *arg, const struct admin_user *user, const struct pl_err *err);
typedef void (repo_admin_user_list_fn)(void *arg, const struct admin_user_list *list, const struct pl_err *err);

struct admin_user_ask {
	struct pl_str match;		/* part of user name, address or display name; absent: any */
	struct pl_str access;		/* absent: any */
	int disabled;			/* -1: both */
	int64_t after;
	int limit;			/* 1..200 */
};
/* Ascending by id. */
void repo_admin_user_list(struct db *db, struct pl_task *task, const struct admin_user_ask *ask,
    repo_admin_user_list_fn *done, void *arg);
/* By number (name absent), or by user name. PL_E_NOT_FOUND. */
void repo_admin_user_get(struct db *db, struct pl_task *task, int64_t id, struct pl_str name, repo_admin_user_fn *done,
    void *arg);
/*
 * On behalf of actor_id. access absent, disabled -1: unchanged. PL_E_NOT_FOUND; PL_E_CONFLICT: the last admin;
 * PL_E_FORBIDDEN: the actor is not an operator or admin, or not above the account or the new level.
 */
void repo_admin_user_change(struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, struct pl_str access,
    int disabled, repo_ended_fn *done, void *arg);
/* Ends all login sessions. PL_E_NOT_FOUND, PL_E_FORBIDDEN. */
void repo_admin_user_logout(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, repo_ended_fn *done, void *arg);
/*
 * Makes the account a tombstone, and queues the rest. erase: the texts of its messages are deleted. PL_E_NOT_FOUND,
 * PL_E_FORBIDDEN; PL_E_CONFLICT: the last admin, or the actor's own account.
 */
void repo_admin_user_delete(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, bool erase, repo_ended_fn *done, void *arg);
/*
 * Creates an account on behalf of actor_id, and returns its id. PL_E_TAKEN as repo_user_create(); PL_E_FORBIDDEN: the
 * actor is not an operator or admin, or the level is above the actor's.
 */
void repo_admin_user_create(struct db *db, struct pl_task *task, int64_t actor_id, const struct user_new *in,
    db_count_fn *done, void *arg);
/*
 * Queues the mail with a link for a new password. Errors of repo_admin_user_logout(), and PL_E_CONFLICT: no address, or
 * disabled.
 */
void repo_admin_user_reset(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, db_done_fn *done, void *arg);

/* Ends the lock-outs after failed logins. Errors of repo_admin_user_logout(). */
void repo_admin_user_unlock(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, db_done_fn *done, void *arg);
/*
 * Removes the second factor, and ends the login sessions. Errors of repo_admin_user_logout(), and PL_E_CONFLICT: there
 * is none, or it is the actor's own.
 */
void repo_admin_user_mfa_off(
    struct db *db, struct pl_task *task, int64_t actor_id, int64_t id, repo_ended_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Login sessions and API keys of all accounts, for operators and admins. No tokens.
 */
#ifndef DB_REPO_ADMIN_LOGIN_H
#define DB_REPO_ADMIN_LOGIN_H

#include "db/repo/repo_user.h"

struct admin_login {
	int64_t id, user_id;
	struct pl_str username, kind, name, user_agent, address, end_reason;	/* absent when none */
	int64_t created_us, last_used_us, expires_us, ended_us;			/* 0: never */
};
struct admin_login_list { const struct admin_login *rows; int count; bool more; };
typedef void (repo_admin_login_list_fn)(void *arg, const struct admin_login_list *list, const struct pl_err *err);

struct admin_login_ask {
	struct pl_str user;		/* name or number; absent: any, like the next two */
	struct pl_str state;		/* "active", "ended" */
	struct pl_str address;		/* or its network, as address_prefix() of sql/064_lock_out.sql writes it */
	int64_t before;			/* ids below this one; 0: from the newest */
	int limit;			/* 1..200 */
};
/* Newest first. */
void repo_admin_login_list(struct db *db, struct pl_task *task, const struct admin_login_ask *ask,
    repo_admin_login_list_fn *done, void *arg);
/*
 * Ends one login session or API key on behalf of the caller of the task. PL_E_NOT_FOUND; PL_E_FORBIDDEN: the caller is
 * not an operator or admin, or not above the account.
 */
void repo_admin_login_end(struct db *db, struct pl_task *task, int64_t id, repo_ended_fn *done, void *arg);

#endif

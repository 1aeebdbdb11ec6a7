/* SPDX-License-Identifier: ISC */
/*
 * Login sessions (table login_sessions): what a login creates, and the refresh tokens of each.
 *
 * A refresh token is {login id, counter}; the row holds the one valid counter. Source of the reuse rule:
 * parlour-api(7), "Tokens"; auth_refresh() implements it.
 */
#ifndef DB_REPO_LOGIN_H
#define DB_REPO_LOGIN_H

#include "db/repo/repo_user.h"

struct login {
	int64_t id, user_id;
	int64_t refresh_counter;		/* starts at 1 */
	struct pl_str user_agent, address, end_reason;	/* absent when none */
	int64_t created_us, last_used_us, expires_us, ended_us;
};
struct login_list { const struct login *rows; int count; bool more; };
/* changed_us: of an API key, when its rights changed; 0: never. ended_us: 0 if it has not ended. */
struct ended_login { int64_t id, ended_us, changed_us; };
struct ended_login_list { const struct ended_login *rows; int count; };
typedef void (repo_login_fn)(void *arg, const struct login *login, const struct pl_err *err);
typedef void (repo_login_list_fn)(void *arg, const struct login_list *list, const struct pl_err *err);
typedef void (repo_ended_login_fn)(void *arg, const struct ended_login_list *list, const struct pl_err *err);

/*
 * life_us: until the refresh token expires. password_hash: the hash that was checked; absent: none. access: the level
 * for the tokens. PL_E_NOT_FOUND: no such user, or disabled, or the stored hash or level has changed meanwhile.
 */
void repo_login_create(struct db *db, struct pl_task *task, int64_t user_id, int64_t life_us, struct pl_str user_agent,
    struct pl_str address, struct pl_str hash, int access, repo_login_fn *done, void *arg);

/*
 * Counts a failed login from the address of the task. After `attempts` of them, logins from its network are locked for
 * lock_ms, twice as long each time. *done: they are locked now. mail: notify the owner, in the name of `server`.
 */
struct login_failed { int64_t user_id, attempts, lock_ms; bool mail; const char *server; };
void repo_login_failed(struct db *db, struct pl_task *task, const struct login_failed *in, db_done_fn *done,
    void *arg);

enum refresh_status {
	REFRESH_ROTATED,	/* counter is a new one: sign new tokens with it */
	REFRESH_CURRENT,	/* allowed reuse, or rotation is off: sign tokens with the current counter */
	REFRESH_REUSED,		/* an old token was used again: the login session was ended just now; revoke it */
	REFRESH_GONE		/* ended, expired, unknown, or its user is disabled */
};
struct refresh {
	enum refresh_status status;
	int64_t login_id, user_id, counter, expires_us;	/* user_id 0 when the login session is unknown */
	int access;
	struct pl_str username;
};
typedef void (repo_refresh_fn)(void *arg, const struct refresh *refresh, const struct pl_err *err);
/* One atomic step. reuse_ms: window after a rotation in which the previous counter is answered with the current one. */
void repo_login_refresh(struct db *db, struct pl_task *task, int64_t login_id, int64_t counter, int64_t reuse_ms,
    bool rotate, repo_refresh_fn *done, void *arg);

enum logout_scope { LOGOUT_THIS, LOGOUT_OTHERS, LOGOUT_ALL };
/*
 * Ends login sessions of the user: this one, all but this one, or all. `reason` is for people ("logout"). If none
 * matches, the list is empty.
 */
void repo_login_end(struct db *db, struct pl_task *task, int64_t user_id, int64_t login_id, enum logout_scope scope,
    const char *reason, repo_ended_fn *done, void *arg);
/* The user's active ones, newest first; before > 0: with a smaller id. At most `limit` of them. */
void repo_login_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, int limit,
    repo_login_list_fn *done, void *arg);
/*
 * Checks that it is active (not ended, not expired, user not disabled). Otherwise PL_E_REVOKED. For the time after the
 * revocation table was full.
 */
void repo_login_check(struct db *db, struct pl_task *task, int64_t login_id, db_done_fn *done, void *arg);
/* db_listen(): calls fn(arg) when login sessions ended, whatever ended them. */
void repo_login_listen(struct db *db, void (*fn)(void *arg), void *arg);
/* All that ended at or after `since_us`, and all API keys whose rights changed since then. */
void repo_login_ended_since(struct db *db, struct pl_task *task, int64_t since_us, repo_ended_login_fn *done,
    void *arg);

#endif

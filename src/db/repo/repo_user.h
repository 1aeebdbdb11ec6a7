/* SPDX-License-Identifier: ISC */
/*
 * Accounts (tables users, names).
 */
#ifndef DB_REPO_USER_H
#define DB_REPO_USER_H

#include "db/repo/repo_invite.h"
#include "db/repo/repo_message.h"

enum access { ACCESS_USER, ACCESS_ANALYST, ACCESS_OPERATOR, ACCESS_ADMIN };
extern const char *const access_words[];	/* ends with NULL */

struct confirmation;
struct user {
	int64_t id;
	struct pl_str username, email, name;	/* email, name: absent when not given */
	struct pl_str password_hash;		/* only from repo_user_by_login(); absent: no password login */
	enum access access;
	bool disabled, second_factor, email_verified;
	bool locked;				/* likewise: logins from the address of the task are */
	int64_t created_us, updated_us;
};
struct user_list { const struct user *rows; int count; bool more; int64_t total; };
/* Login sessions that a call ended: to be revoked in shared memory and their sockets closed. */
struct ended_list { const int64_t *login_ids; int count; };

struct user_name { int64_t id; struct pl_str name; };
struct user_name_list { const struct user_name *rows; int count; };
typedef void (repo_user_names_fn)(void *arg, const struct user_name_list *names, const struct pl_err *err);
/* User names of these users, in any order; deleted users are left out. */
void repo_user_names(struct db *db, struct pl_task *task, const int64_t *ids, int count, repo_user_names_fn *done,
    void *arg);

/* The user may soon send messages: looks up the display names now, unless they are known here. */
void repo_user_want_name(struct db *db, int64_t user_id);

typedef void (repo_user_fn)(void *arg, const struct user *user, const struct pl_err *err);
typedef void (repo_user_list_fn)(void *arg, const struct user_list *list, const struct pl_err *err);
typedef void (repo_ended_fn)(void *arg, const struct ended_list *ended, const struct pl_err *err);

struct user_new {
	struct pl_str username;			/* passes name_fault() */
	struct pl_str email, name, password_hash; /* each may be absent */
	int access;
	const struct invite_rule *invite;	/* NULL: without an invite */
};
/* joined: what happened in the room of the invite; room_id 0: there is none. */
struct user_created { struct user user; struct room_change joined; };
typedef void (repo_user_created_fn)(void *arg, const struct user_created *created, const struct pl_err *err);
/*
 * PL_E_TAKEN; err->detail says whether it is the user name, the e-mail address, which somebody else has verified, or
 * the display name, which must not be the user name of another. All are case-insensitive. PL_E_INVALID: the invite;
 * detail says what is wrong with it.
 */
void repo_user_create(struct db *db, struct pl_task *task, const struct user_new *in, repo_user_created_fn *done,
    void *arg);
/*
 * By user name or e-mail address, without regard to case; with hash and lock; also disabled ones. Of several with the
 * address: the one that has verified it, else the oldest. PL_E_NOT_FOUND.
 */
void repo_user_by_login(struct db *db, struct pl_task *task, struct pl_str login, repo_user_fn *done, void *arg);
/* PL_E_NOT_FOUND */
void repo_user_get(struct db *db, struct pl_task *task, int64_t user_id, repo_user_fn *done, void *arg);
/* Absent = unchanged; email or name "" = none. PL_E_NOT_FOUND, PL_E_TAKEN (email, name). */
void repo_user_patch(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str email, struct pl_str name,
    repo_user_fn *done, void *arg);
/*
 * New hash for the task's caller; ends the caller's other login sessions. Errors of acts with a confirmation, see
 * repo_confirm.h.
 */
void repo_own_password(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str password_hash,
    repo_ended_fn *done, void *arg);
/* Queues a mail with a link for a new password to the user with this name or address. Does not look it up. */
void repo_reset_ask(struct db *db, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg);
/* SHA-256 of a token from such a link. */
struct reset_token { unsigned char sha256[32]; };
/* PL_E_NOT_FOUND: the token is unknown, used, or expired, or the account is disabled or has another address by now. */
void repo_reset_check(struct db *db, struct pl_task *task, const struct reset_token *token, db_done_fn *done,
    void *arg);
struct reset { struct ended_list ended; int64_t user_id; };
typedef void (repo_reset_fn)(void *arg, const struct reset *reset, const struct pl_err *err);
/*
 * New hash; ends all login sessions and all such tokens of the account; in the audit trail. PL_E_NOT_FOUND: as above.
 */
void repo_reset(struct db *db, struct pl_task *task, const struct reset_token *token, struct pl_str password_hash,
    repo_reset_fn *done, void *arg);
/* Re-hash at login: only if the stored hash is still `old_hash`. No login session ends. */
void repo_user_rehash(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str old_hash,
    struct pl_str new_hash, db_done_fn *done, void *arg);
/*
 * Admin: access -1 and disabled -1 = unchanged. Disabling and another access end all login sessions. PL_E_NOT_FOUND,
 * PL_E_CONFLICT (the last admin).
 */
void repo_user_admin(struct db *db, struct pl_task *task, int64_t user_id, int access, int disabled,
    repo_ended_fn *done, void *arg);
/* Ascending by id, ids > after; `match` absent or a part of user name, e-mail or name. limit 1..200. */
void repo_user_list(struct db *db, struct pl_task *task, struct pl_str match, int64_t after, int limit,
    repo_user_list_fn *done, void *arg);

#endif

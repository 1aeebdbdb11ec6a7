/* SPDX-License-Identifier: ISC */
/*
 * Accounts and tokens: register, log in, refresh, log out, and check the token of every request.
 */
#ifndef SVC_AUTH_H
#define SVC_AUTH_H

#include "core/hasher.h"
#include "db/repo/repo_login.h"
#include "svc/account/invite.h"

struct auth_cache;
struct auth_cache *auth_cache_new(void);
void auth_cache_free(struct auth_cache **cache);

/* The content of a token or an API key. `ask`: PostgreSQL must be asked first (auth_confirm), see auth_check(). */
struct auth_who {
	struct pl_token token;
	uint64_t key[2];		/* of the cache */
	bool ask;
	/* of an API key: see struct pl_caller; is_key with ask: its owner is not known yet */
	bool is_key;
	unsigned scopes;
	uint64_t key_epoch;
	struct pl_rate key_rate;
	unsigned char key_hash[32];
};

/*
 * Verifies signature, claims, expiry, and revocation of an access token; no I/O. A cache of verified tokens reduces the
 * usual case to one hash. who_r->ask: the revocation table overflowed, and the caller must call auth_confirm() before
 * it trusts the token. The same for an API key that this worker does not know: who_r is then empty until auth_confirm()
 * has filled it. `from`: the address for which failed look-ups of keys count. Errors: PL_E_UNAUTHORIZED,
 * PL_E_TOKEN_EXPIRED, PL_E_REVOKED; of keys also PL_E_RATE. PL_E_MFA_ENROLMENT: *who_r is filled and valid, but only
 * for setting up a second factor.
 */
bool auth_check(struct svc *svc, const struct config *config, struct pl_str token, const struct pl_caller *from,
    struct auth_who *who_r, struct pl_err *err) PL_MUSTCHECK;
/* Fills the caller from a checked token. addr is unchanged. */
void auth_caller(const struct auth_who *who, struct pl_caller *caller);
/*
 * Asks PostgreSQL whether the login session is active, or who owns the key. *who must live as long. Errors as
 * auth_check().
 */
void auth_confirm(struct svc *svc, struct pl_task *task, struct auth_who *who, db_done_fn *done, void *arg);

/*
 * enrol: the access token is only for setting up a second factor. mfa_ticket: only with PL_E_MFA_REQUIRED, without
 * other members. access absent without an error: the account was created, and its address must be verified before a
 * login. joined: of a new account, its change in the room of its invite; room_id 0: there is none.
 */
struct auth_tokens {
	struct pl_str access, refresh, mfa_ticket;
	int64_t expires_in_s;
	struct user user;
	bool enrol;
	struct room_change joined;
};
/* tokens: NULL when *err is set, except with PL_E_MFA_REQUIRED. */
typedef void (auth_tokens_fn)(void *arg, const struct auth_tokens *tokens, const struct pl_err *err);

struct auth_client { struct pl_str user_agent; };
/*
 * Checks whether somebody can register, with or without an invite, with this name and password. PL_E_REG_CLOSED,
 * PL_E_REG_INVITE, PL_E_INVALID with the field.
 */
bool auth_may_register(const struct config *config, struct pl_pool *pool, const struct user_new *user,
    struct pl_str password, struct pl_err *err) PL_MUSTCHECK;
/*
 * Hash, account, login session, tokens. PL_E_TAKEN, PL_E_INVALID (the invite: unknown, no longer open), hasher's
 * errors. The caller announces auth_tokens.joined.
 */
void auth_register(struct svc *svc, const struct config *config, struct pl_task *task, const struct user_new *user,
    struct pl_str password, struct auth_client client, auth_tokens_fn *done, void *arg);
/*
 * The account was created, but its tokens were lost: creates a login session and tokens. The caller has checked that
 * this is the same client.
 */
void auth_register_again(struct svc *svc, const struct config *config, struct pl_task *task, int64_t user_id,
    struct auth_client client, auth_tokens_fn *done, void *arg);
/*
 * PL_E_BAD_LOGIN for any error in name or password; the time does not reveal which. PL_E_UNVERIFIED: both are correct,
 * but the address must be verified first. PL_E_MFA_REQUIRED: both are correct, and mfa_login() continues with the
 * ticket.
 */
void auth_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str login,
    struct pl_str password, struct auth_client client, auth_tokens_fn *done, void *arg);
/*
 * Records a failed login to this account, which counts for the lock-out. Nothing waits for it, so that the time of the
 * reply reveals nothing about the account.
 */
void auth_failed(struct svc *svc, const struct config *config, struct pl_task *task, const char *action,
    int64_t user_id);

/* Tokens for a new login session. PL_E_NOT_FOUND: its user was deleted. */
struct auth_made { int64_t user_id, login_id, counter, expires_us; };
void auth_issue(struct svc *svc, const struct config *config, struct pl_task *task, const struct auth_made *made,
    auth_tokens_fn *done, void *arg);
/*
 * If the token does not verify: false and PL_E_UNAUTHORIZED or PL_E_TOKEN_EXPIRED, and nothing was started. Otherwise
 * `done`, with PL_E_REVOKED if the login session has ended (an old token that is used again ends it).
 */
bool auth_refresh(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str refresh_token,
    auth_tokens_fn *done, void *arg, struct pl_err *err) PL_MUSTCHECK;
/*
 * Ends login sessions of the task's caller; effective on the next request in every worker. none_is_error:
 * PL_E_NOT_FOUND.
 */
void auth_logout(struct svc *svc, struct pl_task *task, int64_t login_id, enum logout_scope scope, bool none_is_error,
    db_done_fn *done, void *arg);
/* Announces ended login sessions: revocation table, other workers, sockets of this worker. */
void auth_revoke(struct svc *svc, int64_t login_id);
/* The same for those that a statement ended. */
void auth_ended(struct svc *svc, struct pl_task *task, const struct ended_list *ended);
/*
 * Only closes the sockets, in every worker: the rights of a key have changed, and its clients reconnect with the new
 * ones.
 */
void auth_close_sockets(struct svc *svc, int64_t login_id);
/* At start: when other workers end login sessions, closes their sockets here, too (svc->on_revoked). */
void auth_listen(struct svc *svc);
/* In the clerk: revokes login sessions that others end in PostgreSQL, by its notifications. */
void auth_watch(struct svc *svc);
void auth_watch_stop(void);
/*
 * Loads login sessions that ended within the longest life of an access token into the revocation table (at the start of
 * the first process).
 */
void auth_load_revoked(struct svc *svc, struct pl_task *task, db_done_fn *done, void *arg);

/* Checks the rules for a password. false: PL_E_INVALID with field `loc`. */
bool password_may_be(const struct config *config, struct pl_pool *pool, const char *loc, struct pl_str password,
    struct pl_err *err) PL_MUSTCHECK;
struct confirm_given;
/*
 * New password of the task's caller, also for an account that has none; ends the caller's other login sessions.
 * `wanted` passed password_may_be(). Errors of confirm_start().
 */
void password_change(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, struct pl_str wanted, db_done_fn *done, void *arg);

/* Returns whether this server can mail links. false: PL_E_UNSUPPORTED with the missing settings. */
bool password_reset_may_be(const struct config *config, struct pl_err *err) PL_MUSTCHECK;
/*
 * Queues a mail with a link for a new password. `done` does not depend on whether the user name or address exists: the
 * courier looks it up.
 */
void password_reset_ask(struct svc *svc, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg);
/*
 * New password for the account that the mailed token is for; ends all its login sessions and its other tokens. `wanted`
 * passed password_may_be(). PL_E_INVALID: the token is not valid (any more). Hasher's errors.
 */
void password_reset(struct svc *svc, struct pl_task *task, struct pl_str token, struct pl_str wanted, db_done_fn *done,
    void *arg);

/* One-use tickets for socket handshakes, valid in any worker. */
struct pl_str ticket_make(struct svc *svc, const struct config *config, struct pl_task *task);
bool ticket_use(struct svc *svc, const struct config *config, struct pl_str ticket, struct auth_who *who_r,
    struct pl_err *err) PL_MUSTCHECK;

#endif

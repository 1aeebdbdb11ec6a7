/* SPDX-License-Identifier: ISC */
/*
 * Registers users, logs them in, and refreshes their tokens.
 *
 * register: hash -> account -> login session -> tokens
 * login:    account -> verify (a dummy hash if there is none) -> login session -> tokens; old hashes are renewed.
 *           With a second factor: -> ticket; mfa_login.c does the rest
 * refresh:  one atomic step in PostgreSQL -> tokens
 */
#include "clock.h"
#include "db/repo/name.h"
#include "log.h"
#include "svc/account/audit.h"
#include "svc/account/auth.h"
#include "svc/account/mfa.h"
#include "svc/account/email.h"

enum { LOGIN_TRIES = 3 };

struct flow {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct user user;
	struct user_new wanted;
	struct room_change joined;
	struct pl_str login, password, user_agent;	/* login, password: of a login, otherwise absent */
	int tries;
	struct refresh refreshed;
	struct pl_str refresh_token;	/* absent: sign a new one */
	int64_t refresh_counter;	/* counter of refresh_token */
	bool found;
	auth_tokens_fn *done;
	void *arg;
};

static struct flow *flow_new(struct svc *svc, const struct config *config, struct pl_task *task, auth_tokens_fn *done,
    void *arg)
{
	struct flow *f = pl_alloc(task->pool, sizeof(*f));

	*f = (struct flow){ .svc = svc, .config = config_keep(task->pool, config), .task = task,
		.done = done, .arg = arg };
	return f;
}

static void flow_fail(struct flow *f, const struct pl_err *err)
{
	f->done(f->arg, NULL, err);
}

/* Signs both tokens and completes. refresh_until_s: end of the login session. */
static void flow_tokens(struct flow *f, int64_t login_id, int64_t counter, int64_t refresh_until_s)
{
	const struct settings *s = &f->config->s;
	const struct pl_token_key *key = pl_keyring_signer(&f->config->keys);
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	struct pl_token t = { .type = PL_TOKEN_ACCESS, .user_id = f->user.id, .login_id = login_id,
		.refresh_counter = counter, .issued_s = now_s, .expires_s = now_s + s->access_token_life / 1000,
		.access = f->user.access,
		.enrol = !f->user.second_factor && mfa_must(f->config, f->user.access) };
	struct auth_tokens out = { .expires_in_s = s->access_token_life / 1000, .user = f->user, .enrol = t.enrol,
		.joined = f->joined };
	size_t n = f->user.username.len < sizeof(t.name) ? f->user.username.len : sizeof(t.name) - 1;

	memcpy(t.name, f->user.username.ptr, n);
	out.access = pl_token_sign(f->task->pool, key, s->issuer, &t);
	t.type = PL_TOKEN_REFRESH;
	t.enrol = false;	/* a refresh decides this again */
	t.expires_s = refresh_until_s;
	out.refresh = f->refresh_token.ptr != NULL ? f->refresh_token : pl_token_sign(f->task->pool, key,
	    s->issuer, &t);
	f->done(f->arg, &out, NULL);
}

static void login_again(struct flow *f);

static void flow_on_login(void *arg, const struct login *login, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err != NULL && err->code == PL_E_NOT_FOUND && f->password.ptr != NULL)
		login_again(f);
	else if (err != NULL)
		flow_fail(f, err);
	else
		flow_tokens(f, login->id, login->refresh_counter, login->expires_us / PL_US_PER_S);
}

static void flow_start_login(struct flow *f)
{
	repo_login_create(f->svc->db, f->task, f->user.id, f->config->s.refresh_token_life * 1000, f->user_agent,
	    pl_str(f->task->who.addr), f->user.password_hash, f->user.access, flow_on_login, f);
}

/* ---- register ---- */

/* Reports an error of the invite as one of the field. */
static void register_fail(struct flow *f, const struct pl_err *err)
{
	struct pl_err bad = { 0 };

	if (err->code == PL_E_INVALID)
		pl_err_field(&bad, f->task->pool, "body.invite", "value_error", "%s", pl_err_text(err));
	flow_fail(f, bad.code != PL_E_OK ? &bad : err);
}

/* The account is there: a login session, unless its address must be verified first. */
static void register_made(struct flow *f)
{
	struct auth_tokens none = { .user = f->user, .joined = f->joined };

	if (email_must_verify(f->config, &f->user))
		f->done(f->arg, &none, NULL);
	else
		flow_start_login(f);
}

/* Whether or not the mail was queued: the user can ask for another one. */
static void register_on_mail(void *arg, const bool *done, const struct pl_err *err)
{
	(void)done;
	(void)err;
	register_made(arg);
}

static void register_on_user(void *arg, const struct user_created *created, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err != NULL) {
		register_fail(f, err);
		return;
	}
	f->user = created->user;
	f->joined = created->joined;
	f->task->who.user_id = f->user.id;
	if (email_at_start(f->config))
		email_verify_new(f->svc, f->task, f->user.id, register_on_mail, f);
	else
		register_made(f);
}

static void register_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err != NULL) {
		flow_fail(f, err);
		return;
	}
	f->wanted.password_hash = pl_str_dup(f->task->pool, pl_str(result->encoded));
	repo_user_create(f->svc->db, f->task, &f->wanted, register_on_user, f);
}

static void register_on_look(void *arg, const struct invite_look *look, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_str password = f->password;
	struct pl_err bad = { 0 };

	f->password = PL_STR_NONE;
	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		pl_err_field(&bad, f->task->pool, "body.invite", "value_error",
		    "is not valid: it is unknown, or was used, revoked, or has expired");
		err = &bad;
	}
	if (err != NULL)
		flow_fail(f, err);
	else
		hasher_hash(f->svc->worker->hasher, f->task, password, register_on_hash, f);
}

bool auth_may_register(const struct config *config, struct pl_pool *pool, const struct user_new *user,
    struct pl_str password, struct pl_err *err)
{
	const char *fault = name_fault(user->username);

	if (config->s.registration == REGISTRATION_CLOSED)
		return pl_err_set(err, PL_E_REG_CLOSED, NULL);
	if (config->s.registration == REGISTRATION_INVITE && user->invite == NULL)
		return pl_err_set(err, PL_E_REG_INVITE, NULL);
	if (fault != NULL)
		pl_err_field(err, pool, "body.username", "value_error", "%s", fault);
	else
		(void)!password_may_be(config, pool, "body.password", password, err);
	return err->code == PL_E_OK;
}

void auth_register(struct svc *svc, const struct config *config, struct pl_task *task, const struct user_new *user,
    struct pl_str password, struct auth_client client, auth_tokens_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, config, task, done, arg);

	f->wanted = *user;
	f->user_agent = client.user_agent;
	if (user->invite == NULL) {
		hasher_hash(svc->worker->hasher, task, password, register_on_hash, f);
		return;
	}
	f->password = password;
	repo_invite_look(svc->db, task, user->invite, register_on_look, f);	/* before the hash, which an invalid
										 * invite is not worth */
}

static void register_on_found(void *arg, const struct user *user, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_err other = { 0 };

	if (err == NULL && user->second_factor)		/* turned on meanwhile: it must not be bypassed */
		pl_err_set(&other, PL_E_CONFLICT, "The account was created; log in.");
	if (err != NULL || other.code != PL_E_OK) {
		flow_fail(f, err != NULL ? err : &other);
		return;
	}
	f->user = *user;
	f->task->who.user_id = user->id;
	register_made(f);
}

void auth_register_again(struct svc *svc, const struct config *config, struct pl_task *task, int64_t user_id,
    struct auth_client client, auth_tokens_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, config, task, done, arg);

	f->user_agent = client.user_agent;
	repo_user_get(svc->db, task, user_id, register_on_found, f);
}

/* ---- log in ---- */

static void failed_on_counted(void *arg, const bool *locked, const struct pl_err *err)
{
	struct pl_task *task = arg;

	if (err == NULL && *locked)
		pl_log(PL_LOG_WARN, task, "too many failed logins: locked", "addr=%s", task->who.addr);
	pl_task_release(&task);
}

void auth_failed(struct svc *svc, const struct config *config, struct pl_task *task, const char *action,
    int64_t user_id)
{
	const struct settings *s = &config->s;
	struct login_failed in = { .user_id = user_id, .attempts = s->lockout_attempts, .lock_ms = s->lockout_time,
		.mail = s->smtp_url[0] != '\0', .server = s->server_name };

	audit_refused(svc, task, action, user_id);
	if (s->lockout_attempts > 0)
		repo_login_failed(svc->db, task, &in, failed_on_counted, pl_task_hold(task));
}

static void login_on_rehash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err == NULL)
		repo_user_rehash(f->svc->db, f->task, f->user.id, f->user.password_hash, pl_str(result->encoded), NULL,
		    NULL);
}

static void login_on_ticket(void *arg, struct pl_str ticket, const struct pl_err *err)
{
	struct flow *f = arg;
	struct auth_tokens out = { .mfa_ticket = ticket };
	struct pl_err more = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		login_again(f);
	} else if (err != NULL) {
		flow_fail(f, err);
	} else {
		pl_err_set(&more, PL_E_MFA_REQUIRED, NULL);
		f->done(f->arg, &out, &more);
	}
}

static void login_on_verify(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_err bad = { 0 };

	if (err != NULL) {
		flow_fail(f, err);
		return;
	}
	if (!f->found || !result->good || f->user.disabled || f->user.locked) {
		if (f->found && !result->good && !f->user.disabled)
			auth_failed(f->svc, f->config, f->task, "login refused", f->user.id);
		else if (f->found)
			audit_refused(f->svc, f->task, "login refused", f->user.id);
		pl_err_set(&bad, PL_E_BAD_LOGIN, NULL);
		flow_fail(f, &bad);
		return;
	}
	if (email_must_verify(f->config, &f->user)) {
		pl_err_set(&bad, PL_E_UNVERIFIED, NULL);
		flow_fail(f, &bad);
		return;
	}
	if (result->rehash)
		hasher_hash(f->svc->worker->hasher, f->task, f->password, login_on_rehash, f);
	if (f->user.second_factor) {
		mfa_ticket_make(f->svc, f->task, &f->user, login_on_ticket, f);
		return;
	}
	f->task->who.user_id = f->user.id;
	flow_start_login(f);
}

static void login_on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err != NULL && err->code != PL_E_NOT_FOUND) {
		flow_fail(f, err);
		return;
	}
	if (user != NULL)
		f->user = *user;
	f->found = user != NULL;
	/* without an account, a dummy is verified, so that the time of the reply is the same */
	hasher_verify(f->svc->worker->hasher, f->task, f->password, f->user.password_hash, login_on_verify, f);
}

/* The password or the access level has changed since it was read, or the hash was renewed: starts again. */
static void login_again(struct flow *f)
{
	struct pl_err bad = { 0 };

	if (++f->tries < LOGIN_TRIES) {
		repo_user_by_login(f->svc->db, f->task, f->login, login_on_user, f);
	} else {
		pl_err_set(&bad, PL_E_BAD_LOGIN, NULL);
		flow_fail(f, &bad);
	}
}

void auth_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str login,
    struct pl_str password, struct auth_client client, auth_tokens_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, config, task, done, arg);

	f->login = login;
	f->password = password;
	f->user_agent = client.user_agent;
	repo_user_by_login(svc->db, task, login, login_on_user, f);
}

/* ---- refresh ---- */

static void refresh_on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct flow *f = arg;
	const struct refresh *r = &f->refreshed;

	if (err != NULL) {
		flow_fail(f, err);
		return;
	}
	f->user = *user;
	flow_tokens(f, r->login_id, r->counter, r->expires_us / PL_US_PER_S);
}

static void refresh_on_step(void *arg, const struct refresh *r, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_err gone = { 0 };

	if (err != NULL) {
		flow_fail(f, err);
		return;
	}
	if (r->status == REFRESH_REUSED || r->status == REFRESH_GONE) {
		if (r->status == REFRESH_REUSED) {
			pl_log(PL_LOG_WARN, f->task, "refresh token reused: login session ended",
			    "login=%lld user=%lld", (long long)r->login_id, (long long)r->user_id);
			auth_revoke(f->svc, r->login_id);
		}
		pl_err_set(&gone, PL_E_REVOKED, NULL);
		flow_fail(f, &gone);
		return;
	}
	f->task->who.user_id = r->user_id;
	f->refreshed = *r;
	if (f->refresh_counter != r->counter)
		f->refresh_token = PL_STR_NONE;	/* rotation was on a moment ago, and this token is older */
	repo_user_get(f->svc->db, f->task, r->user_id, refresh_on_user, f);
}

bool auth_refresh(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str refresh_token,
    auth_tokens_fn *done, void *arg, struct pl_err *err)
{
	struct flow *f;
	struct pl_token token;

	if (!pl_keyring_verify(refresh_token, &config->keys, config->s.issuer, PL_TOKEN_REFRESH, &token, err))
		return false;
	f = flow_new(svc, config, task, done, arg);
	if (!config->s.refresh_rotation)
		f->refresh_token = refresh_token;
	f->refresh_counter = token.refresh_counter;
	repo_login_refresh(svc->db, task, token.login_id, token.refresh_counter, config->s.refresh_reuse,
	    config->s.refresh_rotation, refresh_on_step, f);
	return true;
}

void auth_issue(struct svc *svc, const struct config *config, struct pl_task *task, const struct auth_made *made,
    auth_tokens_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, config, task, done, arg);

	f->refreshed = (struct refresh){ .login_id = made->login_id, .counter = made->counter,
		.expires_us = made->expires_us };
	repo_user_get(svc->db, task, made->user_id, refresh_on_user, f);
}

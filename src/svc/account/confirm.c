/* SPDX-License-Identifier: ISC */
/*
 * Confirms sensitive acts.
 *
 * account -> verify the password -> proof of the code -> [the statement of the act] -> result
 */
#include "svc/account/confirm.h"

#include "svc/account/audit.h"
#include "svc/account/auth.h"
#include "svc/account/mfa.h"

struct confirm {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	const char *act;
	struct confirm_given given;
	bool no_code;
	struct confirm_state state;
	struct confirmation by;
	confirm_fn *done;
	void *arg;
};

static void confirm_fail(struct confirm *c, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	c->done(c->arg, NULL, &err);
}

static const char *action_of(const struct confirm *c, const char *what)
{
	return pl_sprintf(c->task->pool, "%s: %s refused", c->act, what);
}

/* counts: false if it was not compared, or logins are locked already. */
static void wrong_password(struct confirm *c, bool counts, struct pl_err *err)
{
	if (counts)
		auth_failed(c->svc, c->config, c->task, action_of(c, "password"), c->task->who.user_id);
	else
		audit_refused(c->svc, c->task, action_of(c, "password"), c->task->who.user_id);
	pl_err_field(err, c->task->pool, c->given.loc_password, "value_error", "is not the current password");
}

static void wrong_code(struct confirm *c, bool counts, struct pl_err *err)
{
	if (counts)
		auth_failed(c->svc, c->config, c->task, action_of(c, "code"), c->task->who.user_id);
	else
		audit_refused(c->svc, c->task, action_of(c, "code"), c->task->who.user_id);
	pl_err_field(err, c->task->pool, c->given.loc_code, "value_error", c->given.given.code.ptr != NULL ?
	    "is not valid: it is wrong, or was used" : "is not valid: it is unknown, or was used");
}

static void missing_code(struct confirm *c, struct pl_err *err)
{
	pl_err_field(err, c->task->pool, c->given.loc_code, "missing", "is required, because a second factor is on");
}

/* The password is right, or there is none and the login is recent. */
static void confirm_code(struct confirm *c)
{
	bool given = c->given.given.code.ptr != NULL || c->given.given.recovery_code.ptr != NULL;
	struct pl_err err = { 0 };

	if (!c->state.second_factor || c->no_code) {
		c->done(c->arg, &c->by, NULL);
	} else if (!given) {
		missing_code(c, &err);
		c->done(c->arg, NULL, &err);
	} else {
		mfa_proof_make(c->config, c->task, c->task->who.user_id, c->state.sealed, c->given.given,
		    &c->by.proof);
		c->done(c->arg, &c->by, NULL);
	}
}

static void confirm_on_verify(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct confirm *c = arg;
	struct pl_err bad = { 0 };

	if (err != NULL) {
		c->done(c->arg, NULL, err);
	} else if (c->state.locked || !result->good) {	/* one reply: it must not show whether the password is right */
		wrong_password(c, !c->state.locked, &bad);
		c->done(c->arg, NULL, &bad);
	} else {
		confirm_code(c);
	}
}

static void confirm_on_state(void *arg, const struct confirm_state *state, const struct pl_err *err)
{
	struct confirm *c = arg;
	struct pl_err bad = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account was deleted, the token is still valid */
		confirm_fail(c, PL_E_UNAUTHORIZED);
		return;
	}
	if (err != NULL) {
		c->done(c->arg, NULL, err);
		return;
	}
	c->state = *state;
	c->by.password_hash = pl_str_dup(c->task->pool, state->password_hash);
	c->state.sealed = pl_str_dup(c->task->pool, state->sealed);
	if (state->password_hash.ptr == NULL && !state->recent) {
		confirm_fail(c, PL_E_SIGN_IN_AGAIN);
	} else if (state->password_hash.ptr == NULL) {
		confirm_code(c);
	} else if (c->given.password.ptr == NULL) {
		pl_err_field(&bad, c->task->pool, c->given.loc_password, "missing", "is required");
		c->done(c->arg, NULL, &bad);
	} else {
		hasher_verify(c->svc->worker->hasher, c->task, c->given.password, c->by.password_hash,
		    confirm_on_verify, c);
	}
}

struct confirm *confirm_start(struct svc *svc, const struct config *config, struct pl_task *task, const char *act,
    const struct confirm_given *given, bool no_code, confirm_fn *done, void *arg)
{
	struct confirm *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct confirm){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .act = act,
		.given = *given, .no_code = no_code, .done = done, .arg = arg };
	repo_confirm_state(svc->db, task, confirm_on_state, c);
	return c;
}

const struct pl_err *confirm_result(struct confirm *c, const struct pl_err *err, struct pl_err *mine)
{
	if (err == NULL || (err->code != PL_E_UNAUTHORIZED && err->code != PL_E_BAD_LOGIN))
		return err;
	*mine = (struct pl_err){ 0 };
	if (err->code == PL_E_BAD_LOGIN && !c->state.second_factor)	/* turned on meanwhile */
		missing_code(c, mine);
	else if (err->code == PL_E_BAD_LOGIN)
		wrong_code(c, true, mine);
	else if (c->by.password_hash.ptr != NULL)	/* it was not compared with what is there now, or is locked */
		wrong_password(c, false, mine);
	else if (c->state.second_factor)		/* locked */
		wrong_code(c, false, mine);
	else
		pl_err_set(mine, PL_E_CONFLICT, "The account has a password by now; repeat the request with it.");
	return mine;
}

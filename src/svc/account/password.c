/* SPDX-License-Identifier: ISC */
/*
 * Changes the password of the caller.
 *
 * account -> verify the current one -> hash the new one -> one statement: store it, end the other login sessions
 */
#include "svc/account/audit.h"
#include "svc/account/auth.h"

struct change {
	struct svc *svc;
	struct pl_task *task;
	struct pl_str current, wanted, old_hash;
	db_done_fn *done;
	void *arg;
};

bool password_may_be(const struct config *config, struct pl_pool *pool, const char *loc, struct pl_str password,
    struct pl_err *err)
{
	if ((int64_t)password.len < config->s.password_min)
		pl_err_field(err, pool, loc, "string_too_short", "must have at least %lld bytes",
		    (long long)config->s.password_min);
	else if (pl_blocklist_has(&config->blocklist, password))
		pl_err_field(err, pool, loc, "value_error", "is in the list of common passwords; choose another one");
	else
		return true;
	return false;
}

static void change_fail(struct change *c, const struct pl_err *err)
{
	c->done(c->arg, NULL, err);
}

static void change_wrong(struct change *c)
{
	struct pl_err err = { 0 };

	audit_refused(c->svc, c->task, "password change refused", c->task->who.user_id);
	pl_err_field(&err, c->task->pool, "body.current_password", "value_error", "is not the current password");
	change_fail(c, &err);
}

static void change_on_stored(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct change *c = arg;
	const bool yes = true;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* another request changed it meanwhile */
		change_wrong(c);
		return;
	}
	if (err != NULL) {
		change_fail(c, err);
		return;
	}
	auth_ended(c->svc, c->task, ended);
	c->done(c->arg, &yes, NULL);
}

static void change_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct change *c = arg;

	if (err != NULL)
		change_fail(c, err);
	else
		repo_user_password(c->svc->db, c->task, c->task->who.user_id, pl_str(result->encoded), c->old_hash,
		    c->task->who.login_id, change_on_stored, c);
}

static void change_on_verify(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct change *c = arg;

	if (err != NULL)
		change_fail(c, err);
	else if (!result->good)
		change_wrong(c);
	else
		hasher_hash(c->svc->worker->hasher, c->task, c->wanted, change_on_hash, c);
}

static void change_on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct change *c = arg;
	struct pl_err gone = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account was deleted, the token is still valid */
		pl_err_set(&gone, PL_E_UNAUTHORIZED, NULL);
		change_fail(c, &gone);
	} else if (err != NULL) {
		change_fail(c, err);
	} else {
		c->old_hash = pl_str_dup(c->task->pool, user->password_hash);
		hasher_verify(c->svc->worker->hasher, c->task, c->current, c->old_hash, change_on_verify, c);
	}
}

void password_change(struct svc *svc, struct pl_task *task, struct pl_str current, struct pl_str wanted,
    db_done_fn *done, void *arg)
{
	struct change *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct change){ .svc = svc, .task = task, .current = current, .wanted = wanted,
		.done = done, .arg = arg };
	repo_user_by_login(svc->db, task, pl_str(task->who.name), change_on_user, c);
}

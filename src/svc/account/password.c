/* SPDX-License-Identifier: ISC */
/*
 * Sets the password of the caller.
 *
 * confirm.c -> hash the new one -> one statement: store it, end the other login sessions
 */
#include "svc/account/auth.h"
#include "svc/account/confirm.h"

struct change {
	struct svc *svc;
	struct pl_task *task;
	struct confirm *confirm;
	const struct confirmation *by;
	struct pl_str wanted;
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

static void change_on_stored(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct change *c = arg;
	struct pl_err mine;
	const bool yes = true;

	err = confirm_result(c->confirm, err, &mine);
	if (err == NULL)
		auth_ended(c->svc, c->task, ended);
	c->done(c->arg, err == NULL ? &yes : NULL, err);
}

static void change_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct change *c = arg;

	if (err != NULL)
		c->done(c->arg, NULL, err);
	else
		repo_own_password(c->svc->db, c->task, c->by, pl_str(result->encoded), change_on_stored, c);
}

static void change_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct change *c = arg;

	c->by = by;
	if (err != NULL)
		c->done(c->arg, NULL, err);
	else
		hasher_hash(c->svc->worker->hasher, c->task, c->wanted, change_on_hash, c);
}

void password_change(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, struct pl_str wanted, db_done_fn *done, void *arg)
{
	struct change *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct change){ .svc = svc, .task = task, .wanted = wanted, .done = done, .arg = arg };
	c->confirm = confirm_start(svc, config, task, "password change", given, false, change_on_confirmed, c);
}

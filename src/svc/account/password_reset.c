/* SPDX-License-Identifier: ISC */
/*
 * Sets a new password by a link in a mail, for users who forgot theirs.
 *
 * ask:   a job, for any name; a courier looks up the account, makes the token, and mails it (account_mail)
 * reset: token valid? -> hash the new password -> one statement: token used, password stored, login sessions ended
 */
#include "leaf.h"
#include "svc/account/auth.h"

bool password_reset_may_be(const struct config *config, struct pl_err *err)
{
	if (config->s.smtp_url[0] != '\0' && config->s.public_url[0] != '\0')
		return true;
	pl_err_set(
	    err, PL_E_UNSUPPORTED, "This server cannot mail links: its settings smtp_url and public_url are needed.");
	return false;
}

void password_reset_ask(struct svc *svc, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg)
{
	repo_reset_ask(svc->db, task, login, done, arg);
}

struct resetting {
	struct svc *svc;
	struct pl_task *task;
	struct reset_token token;
	struct pl_str wanted;
	db_done_fn *done;
	void *arg;
};

static void reset_fail(struct resetting *r, const struct pl_err *err)
{
	struct pl_err bad = { 0 };

	if (err->code == PL_E_NOT_FOUND)
		pl_err_field(&bad, r->task->pool, "body.token", "value_error",
		    "is not valid: it is unknown, expired, or was used");
	r->done(r->arg, NULL, bad.code != PL_E_OK ? &bad : err);
}

static void reset_on_stored(void *arg, const struct reset *reset, const struct pl_err *err)
{
	struct resetting *r = arg;
	const bool yes = true;

	if (err != NULL) {
		reset_fail(r, err);
		return;
	}
	r->task->who.user_id = reset->user_id;
	auth_ended(r->svc, r->task, &reset->ended);
	r->done(r->arg, &yes, NULL);
}

static void reset_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct resetting *r = arg;

	if (err != NULL)
		reset_fail(r, err);
	else
		repo_reset(r->svc->db, r->task, &r->token, pl_str(result->encoded), reset_on_stored, r);
}

static void reset_on_check(void *arg, const bool *valid, const struct pl_err *err)
{
	struct resetting *r = arg;

	if (err != NULL)
		reset_fail(r, err);
	else
		hasher_hash(r->svc->worker->hasher, r->task, r->wanted, reset_on_hash, r);
}

void password_reset(struct svc *svc, struct pl_task *task, struct pl_str token, struct pl_str wanted, db_done_fn *done,
    void *arg)
{
	struct resetting *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct resetting){ .svc = svc, .task = task, .wanted = wanted, .done = done, .arg = arg };
	pl_sha256(token.ptr, token.len, r->token.sha256);
	repo_reset_check(svc->db, task, &r->token, reset_on_check, r);
}

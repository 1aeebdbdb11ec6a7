/* SPDX-License-Identifier: ISC */
/*
 * E-mail addresses of accounts.
 *
 * verify: a mail with a link, one statement when its token comes back
 * change: confirm.c -> one statement: mails a link to the new address, a notice to the old one
 */
#include "svc/account/email.h"

#include "db/repo/repo_email.h"
#include "leaf.h"
#include "svc/account/auth.h"

bool email_links(const struct config *config, struct pl_err *err)
{
	struct pl_err unused = { 0 };

	return password_reset_may_be(config, err != NULL ? err : &unused);
}

bool email_at_start(const struct config *config)
{
	return (config->s.email_verification || config->s.require_email_verification) && email_links(config, NULL);
}

bool email_must_verify(const struct config *config, const struct user *user)
{
	return config->s.require_email_verification && user->email.len > 0 && !user->email_verified;
}

void email_verify_ask(struct svc *svc, struct pl_task *task, struct pl_str login, db_done_fn *done, void *arg)
{
	repo_email_verify_ask(svc->db, task, 0, login, done, arg);
}

void email_verify_new(struct svc *svc, struct pl_task *task, int64_t user_id, db_done_fn *done, void *arg)
{
	repo_email_verify_ask(svc->db, task, user_id, PL_STR_NONE, done, arg);
}

struct verifying { struct pl_task *task; db_done_fn *done; void *arg; };

static void verify_on_used(void *arg, const bool *done, const struct pl_err *err)
{
	struct verifying *v = arg;
	struct pl_err bad = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		pl_err_field(&bad, v->task->pool, "body.token", "value_error",
		    "is not valid: it is unknown, expired, or was used");
		err = &bad;
	}
	v->done(v->arg, done, err);
}

void email_verify(struct svc *svc, struct pl_task *task, struct pl_str token, db_done_fn *done, void *arg)
{
	struct verifying *v = pl_alloc(task->pool, sizeof(*v));
	unsigned char sha256[32];

	*v = (struct verifying){ .task = task, .done = done, .arg = arg };
	pl_sha256(token.ptr, token.len, sha256);
	repo_email_verify(svc->db, task, sha256, verify_on_used, v);
}

struct changing {
	struct svc *svc;
	struct pl_task *task;
	struct confirm *confirm;
	struct pl_str email;
	bool mail;
	db_done_fn *done;
	void *arg;
};

static void change_on_asked(void *arg, const bool *done, const struct pl_err *err)
{
	struct changing *c = arg;
	const bool now = !c->mail;
	struct pl_err mine;

	err = confirm_result(c->confirm, err, &mine);
	c->done(c->arg, done != NULL ? &now : NULL, err);
}

static void change_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct changing *c = arg;

	if (err != NULL)
		c->done(c->arg, NULL, err);
	else
		repo_email_change(c->svc->db, c->task, by, c->email, c->mail, change_on_asked, c);
}

void email_change(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str email,
    const struct confirm_given *given, db_done_fn *done, void *arg)
{
	struct changing *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct changing){ .svc = svc, .task = task, .email = email, .mail = email_links(config, NULL),
		.done = done, .arg = arg };
	c->confirm = confirm_start(svc, config, task, "e-mail address change", given, false, change_on_confirmed, c);
}

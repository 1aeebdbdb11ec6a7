/* SPDX-License-Identifier: ISC */
/*
 * Links of users to accounts at identity providers. They are ways to sign in, so the user confirms each change:
 *
 * link:   confirm.c -> oidc_begin()
 * unlink: is it one of the caller? -> confirm.c -> one statement
 */
#include "svc/oidc/oidc.h"

struct linking {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct config *config;
	struct confirm *confirm;
	struct oidc_begin begin;
	struct confirm_given given;
	int64_t id;
	oidc_begun_fn *on_begun;	/* one of these two */
	db_done_fn *on_done;
	void *arg;
};

static void linking_on_begun(void *arg, const struct oidc_begun *begun, const struct pl_err *err)
{
	struct linking *l = arg;
	struct pl_err mine;

	err = confirm_result(l->confirm, err, &mine);
	l->on_begun(l->arg, err == NULL ? begun : NULL, err);
}

static void linking_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct linking *l = arg;

	l->begin.by = by;
	if (err != NULL)
		l->on_begun(l->arg, NULL, err);
	else
		oidc_begin(l->svc, l->config, l->task, &l->begin, linking_on_begun, l);
}

static struct linking *linking_new(struct svc *svc, const struct config *config, struct pl_task *task, void *arg)
{
	struct linking *l = pl_alloc(task->pool, sizeof(*l));

	*l = (struct linking){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .arg = arg };
	return l;
}

void oidc_link(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_begin *in,
    const struct confirm_given *given, oidc_begun_fn *done, void *arg)
{
	struct linking *l = linking_new(svc, config, task, arg);

	l->begin = *in;
	l->on_begun = done;
	l->confirm = confirm_start(svc, config, task, "identity link", given, false, linking_on_confirmed, l);
}

static void unlinking_on_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct linking *l = arg;
	struct pl_err mine;

	err = confirm_result(l->confirm, err, &mine);
	l->on_done(l->arg, err == NULL ? done : NULL, err);
}

static void unlinking_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct linking *l = arg;

	if (err != NULL)
		l->on_done(l->arg, NULL, err);
	else
		repo_identity_remove(l->svc->db, l->task, by, l->id, unlinking_on_done, l);
}

/* What the caller does not have does not exist, whatever confirms it. */
static void unlinking_on_list(void *arg, const struct identity_list *list, const struct pl_err *err)
{
	struct linking *l = arg;
	struct pl_err none = { 0 };
	bool found = false;

	for (int i = 0; err == NULL && i < list->count; i++)
		found = found || list->rows[i].id == l->id;
	pl_err_set(&none, PL_E_NOT_FOUND, NULL);
	if (!found)
		l->on_done(l->arg, NULL, err != NULL ? err : &none);
	else
		l->confirm = confirm_start(l->svc, l->config, l->task, "identity link", &l->given, false,
		    unlinking_on_confirmed, l);
}

void oidc_unlink(struct svc *svc, const struct config *config, struct pl_task *task, int64_t id,
    const struct confirm_given *given, db_done_fn *done, void *arg)
{
	struct linking *l = linking_new(svc, config, task, arg);

	l->id = id;
	l->given = *given;
	l->on_done = done;
	repo_identities(svc->db, task, unlinking_on_list, l);
}

/* SPDX-License-Identifier: ISC */
/*
 * API keys of users.
 */
#include "svc/account/apikey.h"

#include "svc/account/auth.h"

struct flow {
	struct svc *svc;
	struct pl_task *task;
	struct apikey_text text;
	apikey_made_fn *made;
	repo_apikey_fn *changed;
	db_done_fn *done;
	void *arg;
};

static struct flow *flow_new(struct svc *svc, struct pl_task *task, void *arg)
{
	struct flow *f = pl_alloc(task->pool, sizeof(*f));

	*f = (struct flow){ .svc = svc, .task = task, .arg = arg };
	return f;
}

bool apikey_rate(struct pl_str text, struct pl_rate *rate)
{
	return pl_rate_parse(text, rate) && rate->burst > 0;
}

static void create_on_key(void *arg, const struct apikey *key, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_str text = PL_STR_NONE;

	if (err == NULL)
		text = pl_str_dup(f->task->pool, pl_str(f->text.text));
	pl_wipe(&f->text, sizeof(f->text));
	f->made(f->arg, key, text, err);
}

void apikey_create(struct svc *svc, const struct config *config, struct pl_task *task, const struct apikey_new *in,
    apikey_made_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, task, arg);
	struct apikey_new wanted = *in;

	f->made = done;
	wanted.most = config->s.api_keys_per_user;
	apikey_make(&f->text);
	repo_apikey_create(svc->db, task, &wanted, &f->text, create_on_key, f);
}

static void patch_on_key(void *arg, const struct apikey *key, const struct pl_err *err)
{
	struct flow *f = arg;

	if (err == NULL)
		shm_keys_changed(f->svc->shm);	/* the clerk does this, too, and closes the sockets */
	f->changed(f->arg, key, err);
}

void apikey_patch(struct svc *svc, struct pl_task *task, int64_t id, const struct apikey_change *change,
    repo_apikey_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, task, arg);

	f->changed = done;
	repo_apikey_patch(svc->db, task, id, change, patch_on_key, f);
}

static void revoke_on_ended(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct flow *f = arg;
	struct pl_err none = { 0 };
	const bool yes = true;

	if (err == NULL && ended->count == 0) {
		pl_err_set(&none, PL_E_NOT_FOUND, NULL);
		err = &none;
	}
	for (int i = 0; err == NULL && i < ended->count; i++)
		auth_revoke(f->svc, ended->login_ids[i]);
	f->done(f->arg, err == NULL ? &yes : NULL, err);
}

void apikey_revoke(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct flow *f = flow_new(svc, task, arg);

	f->done = done;
	repo_apikey_end(svc->db, task, id, revoke_on_ended, f);
}

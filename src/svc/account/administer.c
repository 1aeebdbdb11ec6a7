/* SPDX-License-Identifier: ISC */
/* Administration of accounts: changes PostgreSQL first, then revokes the login sessions that ended. */
#include "svc/account/administer.h"

#include "db/repo/name.h"
#include "leaf.h"
#include "svc/account/auth.h"

enum { MADE_BYTES = 15 };	/* 120 random bits: 20 characters */

struct making {
	struct svc *svc;
	struct pl_task *task;
	struct user_new in;
	struct administer_made made;
	administer_made_fn *done;
	void *arg;
};

static void making_on_stored(void *arg, const int64_t *id, const struct pl_err *err)
{
	struct making *m = arg;

	if (err == NULL)
		m->made.id = *id;
	m->done(m->arg, err == NULL ? &m->made : NULL, err);
}

static void making_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct making *m = arg;

	if (err != NULL) {
		m->done(m->arg, NULL, err);
		return;
	}
	m->in.password_hash = pl_str_dup(m->task->pool, pl_str(result->encoded));
	repo_admin_user_create(m->svc->db, m->task, m->task->who.user_id, &m->in, making_on_stored, m);
}

static struct pl_str make_password(struct pl_pool *pool)
{
	unsigned char random[MADE_BYTES];
	char *text = pl_alloc(pool, 32);

	pl_random(random, sizeof(random));
	pl_b64url_encode(random, sizeof(random), text);
	pl_wipe(random, sizeof(random));
	return pl_str(text);
}

bool administer_may_create(const struct config *config, struct pl_pool *pool, struct pl_str username,
    struct pl_str password, struct pl_err *err)
{
	const char *fault = name_fault(username);

	if (fault != NULL)
		pl_err_field(err, pool, "body.username", "value_error", "%s", fault);
	else if (password.ptr != NULL)
		(void)!password_may_be(config, pool, "body.password", password, err);
	return err->code == PL_E_OK;
}

bool administer_may_grant(const struct pl_task *task, struct pl_err *err)
{
	if (task->who.scopes == 0)
		return true;
	return pl_err_set(err, PL_E_KEY_REFUSED, "API keys cannot grant or change access levels; sign in instead.");
}

void administer_create(struct svc *svc, struct pl_task *task, const struct user_new *in, struct pl_str password,
    administer_made_fn *done, void *arg)
{
	struct making *m = pl_alloc(task->pool, sizeof(*m));

	*m = (struct making){ .svc = svc, .task = task, .in = *in, .done = done, .arg = arg };
	if (password.ptr == NULL)
		password = m->made.password = make_password(task->pool);
	hasher_hash(svc->worker->hasher, task, password, making_on_hash, m);
}

struct change { struct svc *svc; struct pl_task *task; db_done_fn *done; void *arg; };

static struct change *change_new(struct svc *svc, struct pl_task *task, db_done_fn *done, void *arg)
{
	struct change *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct change){ .svc = svc, .task = task, .done = done, .arg = arg };
	return c;
}

static void change_on_ended(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct change *c = arg;
	const bool yes = true;

	if (err == NULL)
		auth_ended(c->svc, c->task, ended);
	c->done(c->arg, err == NULL ? &yes : NULL, err);
}

void administer_change(struct svc *svc, struct pl_task *task, int64_t id, struct pl_str access, int disabled,
    db_done_fn *done, void *arg)
{
	repo_admin_user_change(svc->db, task, task->who.user_id, id, access, disabled, change_on_ended,
	    change_new(svc, task, done, arg));
}

void administer_logout(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	repo_admin_user_logout(svc->db, task, task->who.user_id, id, change_on_ended, change_new(svc, task, done, arg));
}

void administer_login_end(struct svc *svc, struct pl_task *task, int64_t login_id, db_done_fn *done, void *arg)
{
	repo_admin_login_end(svc->db, task, login_id, change_on_ended, change_new(svc, task, done, arg));
}

void administer_mfa_off(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	repo_admin_user_mfa_off(
	    svc->db, task, task->who.user_id, id, change_on_ended, change_new(svc, task, done, arg));
}

void administer_delete(struct svc *svc, const struct config *config, struct pl_task *task, int64_t id, db_done_fn *done,
    void *arg)
{
	repo_admin_user_delete(svc->db, task, task->who.user_id, id, config->s.deleted_messages == DELETED_ERASE,
	    change_on_ended, change_new(svc, task, done, arg));
}

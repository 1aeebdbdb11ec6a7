/* SPDX-License-Identifier: ISC */
/*
 * Ends login sessions and announces that: first in PostgreSQL, then in the shared table, then on the sockets of all
 * workers.
 */
#include "clock.h"
#include "log.h"
#include "svc/account/auth.h"
#include "svc/bus/bus.h"

/* The time until which the table must keep the entry: when the last access token of that login session has expired. */
static int64_t remember_until_s(const struct svc *svc, int64_t ended_us)
{
	return ended_us / PL_US_PER_S + svc_config(svc)->s.access_token_life / 1000 + 60;
}

void auth_close_sockets(struct svc *svc, int64_t login_id)
{
	bus_post(svc, RING_REVOKED, pl_strn((const char *)&login_id, sizeof(login_id)), PL_STR_NONE);
	if (svc->on_revoked != NULL)
		svc->on_revoked(login_id);
}

void auth_revoke(struct svc *svc, int64_t login_id)
{
	bool known = shm_revoked_unsure(svc->shm, pl_wall_us() / PL_US_PER_S);

	if (!shm_revoke(svc->shm, login_id, remember_until_s(svc, pl_wall_us())) && !known)
		pl_log(PL_LOG_WARN, NULL, "revocation table full: PostgreSQL is asked instead", "login=%lld",
		    (long long)login_id);
	auth_close_sockets(svc, login_id);
}

void auth_ended(struct svc *svc, struct pl_task *task, const struct ended_list *ended)
{
	for (int i = 0; i < ended->count; i++)
		auth_revoke(svc, ended->login_ids[i]);
}

static void auth_on_revoked(void *arg, int from_slot, struct pl_str data)
{
	struct svc *svc = arg;
	int64_t login_id;

	memcpy(&login_id, data.ptr, sizeof(login_id));
	if (svc->on_revoked != NULL)
		svc->on_revoked(login_id);
}

void auth_listen(struct svc *svc)
{
	bus_register(svc->bus, RING_REVOKED, auth_on_revoked, svc);
}

struct logout { struct svc *svc; struct pl_task *task; bool none_is_error; db_done_fn *done; void *arg; };

static void logout_on_ended(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct logout *l = arg;
	struct pl_err none = { 0 };
	const bool yes = true;

	if (err != NULL) {
		l->done(l->arg, NULL, err);
		return;
	}
	auth_ended(l->svc, l->task, ended);
	if (ended->count == 0 && l->none_is_error) {
		pl_err_set(&none, PL_E_NOT_FOUND, NULL);
		l->done(l->arg, NULL, &none);
	} else {
		l->done(l->arg, &yes, NULL);
	}
}

void auth_logout(struct svc *svc, struct pl_task *task, int64_t login_id, enum logout_scope scope, bool none_is_error,
    db_done_fn *done, void *arg)
{
	struct logout *l = pl_alloc(task->pool, sizeof(*l));

	*l = (struct logout){ .svc = svc, .task = task, .none_is_error = none_is_error, .done = done, .arg = arg };
	repo_login_end(svc->db, task, task->who.user_id, login_id, scope, "logout", logout_on_ended, l);
}

static void load_on_list(void *arg, const struct ended_login_list *list, const struct pl_err *err)
{
	struct logout *l = arg;
	const bool yes = true;

	for (int i = 0; err == NULL && i < list->count; i++)
		if (list->rows[i].ended_us != 0)
			(void)!shm_revoke(l->svc->shm, list->rows[i].id,
			    remember_until_s(l->svc, list->rows[i].ended_us));
	l->done(l->arg, err == NULL ? &yes : NULL, err);
}

void auth_load_revoked(struct svc *svc, struct pl_task *task, db_done_fn *done, void *arg)
{
	struct logout *l = pl_alloc(task->pool, sizeof(*l));
	int64_t since_us = pl_wall_us() - svc_config(svc)->s.access_token_life * 1000 - 60 * PL_US_PER_S;

	*l = (struct logout){ .svc = svc, .done = done, .arg = arg };
	repo_login_ended_since(svc->db, task, since_us, load_on_list, l);
}

/* SPDX-License-Identifier: ISC */
/*
 * Deletion of accounts.
 *
 * confirm.c -> one statement -> job: account_delete_step() in SQL, until it is done
 */
#include "svc/account/account_delete.h"

#include <stdio.h>

#include "db/admin/db_steps.h"
#include "db/repo/repo_account.h"
#include "svc/account/auth.h"
#include "svc/job/job.h"

struct deletion {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct confirm *confirm;
	db_done_fn *done;
	void *arg;
};

static void deletion_on_stored(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct deletion *d = arg;
	struct pl_err mine;
	const bool yes = true;

	err = confirm_result(d->confirm, err, &mine);
	if (err == NULL)
		auth_ended(d->svc, d->task, ended);
	d->done(d->arg, err == NULL ? &yes : NULL, err);
}

static void deletion_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct deletion *d = arg;

	if (err != NULL)
		d->done(d->arg, NULL, err);
	else
		repo_account_delete(d->svc->db, d->task, by, d->config->s.deleted_messages == DELETED_ERASE,
		    deletion_on_stored, d);
}

void account_delete(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, db_done_fn *done, void *arg)
{
	struct deletion *d = pl_alloc(task->pool, sizeof(*d));

	*d = (struct deletion){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .done = done,
		.arg = arg };
	d->confirm = confirm_start(svc, config, task, "account deletion", given, false, deletion_on_confirmed, d);
}

/* ---- the job ---- */

bool job_account_delete_ready(const struct config *config)
{
	PL_UNUSED(config);
	return true;
}

void job_account_delete_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct job_end end = { .result = JOB_DONE };
	char why[512];

	if (!db_steps_run(config->s.db, DB_STEPS_ACCOUNT_DELETE, job->id, why)) {
		end.result = JOB_RETRY;
		snprintf(end.why, sizeof(end.why), "%s", why);
	}
	job_ended(out, &end);
}

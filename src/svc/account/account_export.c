/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts: requests, and the job.
 */
#include "svc/account/account_export.h"

#include <stdio.h>

#include "clock.h"
#include "db/admin/db_steps.h"
#include "svc/job/job.h"

struct exporting {
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	repo_export_fn *done;
	void *arg;
};

static struct exporting *exporting_new(const struct config *config, struct pl_task *task, repo_export_fn *done,
    void *arg)
{
	struct exporting *e = pl_alloc(task->pool, sizeof(*e));

	*e = (struct exporting){ .config = config_keep(task->pool, config), .task = task, .done = done, .arg = arg };
	return e;
}

static void refuse(const struct config *config, int64_t wait_us, struct pl_err *err)
{
	int most = (int)config->s.exports_per_day;

	if (most == 0) {
		pl_err_set(err, PL_E_FORBIDDEN, "Exports of accounts are turned off on this server.");
		return;
	}
	pl_err_set(err, PL_E_RATE, "Rate limit exceeded: at most %d %s of an account within 24 hours.", most,
	    most == 1 ? "export" : "exports");
	err->retry_after_s = (int)(wait_us / 1000000) + 1;
}

static void on_asked(void *arg, const struct export *export, const struct pl_err *err)
{
	struct exporting *e = arg;
	struct pl_err bad = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account is gone, the token is not */
		pl_err_set(&bad, PL_E_UNAUTHORIZED, NULL);
		err = &bad;
	} else if (err == NULL && export->refused) {
		refuse(e->config, export->wait_us, &bad);
		err = &bad;
	}
	e->done(e->arg, err == NULL ? export : NULL, err);
}

void account_export_ask(struct svc *svc, const struct config *config, struct pl_task *task, repo_export_fn *done,
    void *arg)
{
	repo_export_ask(svc->db, task, (int)config->s.exports_per_day, on_asked,
	    exporting_new(config, task, done, arg));
}

int64_t account_export_expires(const struct config *config, const struct export *export)
{
	return export->finished_us > 0 ? export->finished_us + config->s.export_keep * 1000 : 0;
}

static void on_found(void *arg, const struct export *export, const struct pl_err *err)
{
	struct exporting *e = arg;
	struct pl_err bad = { 0 };

	if (err == NULL && export->state == EXPORT_DONE &&
	    account_export_expires(e->config, export) <= pl_wall_us()) {
		pl_err_set(&bad, PL_E_NOT_FOUND, NULL);
		err = &bad;
	}
	e->done(e->arg, err == NULL ? export : NULL, err);
}

void account_export_find(struct svc *svc, const struct config *config, struct pl_task *task, repo_export_fn *done,
    void *arg)
{
	repo_export_find(svc->db, task, on_found, exporting_new(config, task, done, arg));
}

/* ---- the job ---- */

bool job_account_export_ready(const struct config *config)
{
	PL_UNUSED(config);
	return true;
}

void job_account_export_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct job_end end = { .result = JOB_DONE };
	char why[512];

	if (!db_steps_run(config->s.db, DB_STEPS_ACCOUNT_EXPORT, job->id, why)) {
		end.result = JOB_RETRY;
		snprintf(end.why, sizeof(end.why), "%s", why);
	}
	job_ended(out, &end);
}

/* SPDX-License-Identifier: ISC */
/*
 * Deletion of accounts.
 *
 * account -> verify the password -> with a second factor: its state -> one statement
 *         -> job: account_delete_step() in SQL, until it is done
 */
#include "svc/account/account_delete.h"

#include <stdio.h>

#include "db/admin/db_steps.h"
#include "db/repo/repo_account.h"
#include "svc/account/audit.h"
#include "svc/job/job.h"

struct deletion {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct account_proof proof;
	struct pl_str hash;
	bool second_factor;
	db_done_fn *done;
	void *arg;
};

static void deletion_fail_field(struct deletion *d, const char *loc, const char *kind, const char *text)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, d->task->pool, loc, kind, "%s", text);
	d->done(d->arg, NULL, &err);
}

static void deletion_fail_code(struct deletion *d, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	d->done(d->arg, NULL, &err);
}

static void deletion_wrong_password(struct deletion *d)
{
	audit_refused(d->svc, d->task, "account deletion: password refused", d->task->who.user_id);
	deletion_fail_field(d, d->proof.loc_password, "value_error", "is not the current password");
}

static void deletion_on_stored(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct deletion *d = arg;
	const bool yes = true;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* changed by another request meanwhile */
		deletion_wrong_password(d);
	} else if (err != NULL && err->code == PL_E_BAD_LOGIN) {
		audit_refused(d->svc, d->task, "account deletion: second factor refused", d->task->who.user_id);
		deletion_fail_field(d, d->proof.loc_code, "value_error", "is not valid: it is wrong, or was used");
	} else if (err != NULL) {
		d->done(d->arg, NULL, err);
	} else {
		auth_ended(d->svc, d->task, ended);
		d->done(d->arg, &yes, NULL);
	}
}

static void deletion_store(struct deletion *d, const struct mfa_proof *proof)
{
	repo_account_delete(d->svc->db, d->task, d->hash, proof, d->config->s.deleted_messages == DELETED_ERASE,
	    deletion_on_stored, d);
}

static void deletion_on_state(void *arg, const struct mfa_state *state, const struct pl_err *err)
{
	struct deletion *d = arg;
	struct mfa_proof proof;

	if (err != NULL) {
		d->done(d->arg, NULL, err);
		return;
	}
	mfa_proof_make(d->config, d->task, d->task->who.user_id, state->sealed, d->proof.given, &proof);
	deletion_store(d, &proof);
}

static void deletion_on_verify(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct deletion *d = arg;

	if (err != NULL)
		d->done(d->arg, NULL, err);
	else if (!result->good)
		deletion_wrong_password(d);
	else if (!d->second_factor)
		deletion_store(d, NULL);
	else if (d->proof.given.code.ptr == NULL && d->proof.given.recovery_code.ptr == NULL)
		deletion_fail_field(d, d->proof.loc_code, "missing", "is required, because a second factor is on");
	else
		repo_mfa_state(d->svc->db, d->task, d->task->who.user_id, deletion_on_state, d);
}

static void deletion_on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct deletion *d = arg;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account is gone, the token is not */
		deletion_fail_code(d, PL_E_UNAUTHORIZED);
	} else if (err != NULL) {
		d->done(d->arg, NULL, err);
	} else {
		d->hash = pl_str_dup(d->task->pool, user->password_hash);
		d->second_factor = user->second_factor;
		hasher_verify(d->svc->worker->hasher, d->task, d->proof.password, d->hash, deletion_on_verify, d);
	}
}

void account_delete(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct account_proof *proof, db_done_fn *done, void *arg)
{
	struct deletion *d = pl_alloc(task->pool, sizeof(*d));

	*d = (struct deletion){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .proof = *proof,
		.done = done, .arg = arg };
	repo_user_by_login(svc->db, task, pl_str(task->who.name), deletion_on_user, d);
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

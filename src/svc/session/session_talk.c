/* SPDX-License-Identifier: ISC */
/*
 * A message on its way to an answer: session_talk -> [repo_session_reserve] -> [session_extract] -> talk_say -> on_said
 * -> [another message came first: on_reread -> talk_say] -> session_turn_wait -> session_job_answer (session_answer.c).
 */
#include "clock.h"
#include "svc/session/session_job.h"
#include "svc/session/session_live.h"

#define REREADS_MAX 16

static void talk_say(struct session_job *job);

/* The answer may take long: starts a stream. */
static void tell_accepted(struct session_job *job)
{
	if (job->asker != NULL && job->delta != NULL)
		job->delta(job->arg, PL_STR(""));
}

/* Another message was stored first. This one is read again together with the result of that one. */
static void on_reread(void *arg, const struct session *session, const struct pl_err *err)
{
	struct session_job *job = arg;

	if (err != NULL) {
		session_job_give_up(job, err);
		return;
	}
	session_form_read(job, session);
	if (job->extracting)
		(void)form_take_model(job->form, job->task->pool, &job->state, job->extracted, job->message,
		    &job->step);
	talk_say(job);
}

static void on_said(void *arg, const struct session_said *said, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct session_caller who = { .user_id = job->user_id, .guests = job->user_id == 0 };
	struct pl_err busy = { 0 };

	if (err == NULL && said->stale && job->rereads++ < REREADS_MAX) {
		repo_session_get(job->sessions->svc->db, job->task, pl_str(job->id), who, on_reread, job);
		return;
	}
	if (err == NULL && said->stale) {
		pl_err_set(&busy, PL_E_BUSY, NULL);
		session_job_give_up(job, &busy);
	} else if (err != NULL && (err->code == PL_E_WRITE_UNKNOWN || err->code == PL_E_DEADLINE)) {
		session_job_withdraw(job, err);
	} else if (err != NULL) {
		session_job_give_up(job, err);
	} else {
		job->question = said->seq;
		session_live_changed(job->sessions->svc, pl_str(job->id));
		tell_accepted(job);
		session_turn_wait(job, said->ahead);
	}
}

static void talk_say(struct session_job *job)
{
	struct session_message in = { .id = pl_str(job->id), .token = pl_str(job->answer->id), .content = job->message,
		.life_ms = job->config->s.session_life, .user = job->user_id > 0,
		.guests_max = job->config->s.guest_sessions_per_address };

	if (job->form != NULL)
		session_form_step(job, &in);
	job->masked = in.content;
	session_job_place(job);
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S; /* independent of the time that the model took */
	repo_session_say(job->sessions->svc->db, job->task, &in, on_said, job);
}

static void talk_begin(struct session_job *job)
{
	if (session_extract(job, talk_say))
		tell_accepted(job);
	else
		talk_say(job);
}

static void on_reserved(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		session_job_give_up(arg, err);
	else
		talk_begin(arg);
}

/* A guest who finds no free place costs no further work. */
static void talk_reserve(struct session_job *job)
{
	job->task->deadline_ns = pl_now_ns() + 5 * PL_NS_PER_S;
	repo_session_reserve(job->sessions->svc->db, job->task, pl_str(job->id),
	    job->config->s.guest_sessions_per_address, on_reserved, job);
}

void session_talk(struct svc *svc, const struct config *config, struct pl_task *task, const struct session *session,
    struct pl_str message, session_delta_fn *delta, session_reply_fn *done, void *arg)
{
	struct session_job *job = session_job_new(svc->sessions, config, pl_str_c(task->pool, session->id));

	memcpy(job->task->request_id, task->request_id, sizeof(job->task->request_id));
	job->task->who = task->who;
	job->asker = pl_task_hold(task);
	job->delta = delta;
	job->done = done;
	job->arg = arg;
	job->user_id = job->answer->user_id = session->user_id;
	job->message = pl_str_dup(job->task->pool, message);
	job->is_complete = session->is_complete;
	job->form = session->form.ptr != NULL ? form_hold(forms_find(session->form)) : NULL;
	if (job->form != NULL)
		session_form_read(job, session);
	/* first, so that the answer can be stopped, and another worker can continue it if this one dies */
	session_job_place(job);
	if (job->form == NULL || session->state != SESSION_OPEN || !session_extract_wanted(job))
		talk_say(job);
	else if (session->user_id == 0 && session->last_seq == 0)
		talk_reserve(job);
	else
		talk_begin(job);
}

/* SPDX-License-Identifier: ISC */
/*
 * Turns: the answers of one session come in the order of its messages, even if several workers have them. A message
 * that must wait checks again when another answer of its session ends on this worker, and every LOOK_MS for those of
 * other workers.
 */
#include "clock.h"
#include "log.h"
#include "svc/session/session_job.h"

#define LOOK_MS 100
#define LOOKS_MAX 1200		/* an earlier answer that hangs does not delay it indefinitely */

static void look(evutil_socket_t fd, short what, void *arg);

static void turn_arm(struct session_job *job, int ms)
{
	struct timeval tv = { 0, ms * 1000 };

	evtimer_add(job->turn, &tv);
}

static void come(struct session_job *job)
{
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	session_job_answer(job);
}

static void on_ahead(void *arg, const int64_t *ahead, const struct pl_err *err)
{
	struct session_job *job = arg;

	job->waiting = true;
	if (err != NULL && err->code == PL_E_STOPPING)
		return; /* answers_free() frees it */
	if (err == NULL && *ahead == 0) {
		job->waiting = false;
		come(job);
	} else {
		turn_arm(job, LOOK_MS);
	}
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct session_job *job = arg;

	job->waiting = false;
	if (answers_stopping(job->answer->answers) || job->looks++ >= LOOKS_MAX) {
		come(job);
		return;
	}
	job->task->deadline_ns = pl_now_ns() + 5 * PL_NS_PER_S;
	repo_session_ahead(job->sessions->svc->db, job->task, pl_str(job->id), job->question, on_ahead, job);
}

void session_turn_wait(struct session_job *job, int64_t ahead)
{
	if (ahead == 0) {
		come(job);
		return;
	}
	job->turn = evtimer_new(job->sessions->svc->worker->base, look, job);
	PL_BUG(job->turn == NULL);
	job->waiting = true;
	turn_arm(job, LOOK_MS);
}

void session_turn_over(struct sessions *sessions, const char *id)
{
	for (struct session_job *job = sessions->jobs; job != NULL; job = job->next)
		if (job->waiting && strcmp(job->id, id) == 0)
			turn_arm(job, 0);
}

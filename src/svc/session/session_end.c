/* SPDX-License-Identifier: ISC */
/*
 * The end of an answer in a session: its text and tokens are stored, then the asker is told. What the database
 * cannot do now is done again every second.
 */
#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/session/session_job.h"
#include "svc/session/session_live.h"

#define RETRY_S 1

static void store_again(evutil_socket_t fd, short what, void *arg);

struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct session_job *job = pl_alloc(task->pool, sizeof(*job));

	*job = (struct session_job){ .sessions = sessions, .config = config_keep(task->pool, config),
		.task = task, .next = sessions->jobs, .index = -1, .state = { .requested = -1 },
		.end = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1, .state = SESSION_DONE } };
	memcpy(job->id, id, sizeof(job->id));
	pl_uuid_make(job->token);
	job->retry = evtimer_new(sessions->svc->worker->base, store_again, job);
	PL_BUG(job->retry == NULL);
	if (sessions->jobs != NULL)
		sessions->jobs->prev = job;
	sessions->jobs = job;
	sessions->running++;
	return job;
}

void session_job_free(struct session_job *job)
{
	struct sessions *sessions = job->sessions;
	struct pl_task *task = job->task;
	char id[PL_UUID_LEN + 1];

	PL_BUG(job->asker != NULL);
	memcpy(id, job->id, sizeof(id));
	if (job->index >= 0)
		shm_gen_free(sessions->svc->shm, job->index);
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		sessions->jobs = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	sessions->running--;
	event_free(job->retry);
	if (job->turn != NULL)
		event_free(job->turn);
	form_release(&job->form);
	pl_buf_fini(&job->text);
	pl_buf_fini(&job->extracted);
	pl_task_release(&task);
	session_turn_over(sessions, id);
}

void session_job_text(struct session_job *job, struct pl_str text)
{
	size_t room = SHM_GEN_TEXT - job->text.len, fits = text.len;

	if (fits > room) {
		fits = pl_utf8_cut(text.ptr, text.len, room);
		job->full = true;
	}
	pl_buf_add(&job->text, text.ptr, fits);
	if (job->index >= 0)
		shm_gen_append(job->sessions->svc->shm, job->index, text.ptr, (uint32_t)fits);
	if (job->asker != NULL && job->delta != NULL && fits > 0)
		job->delta(job->arg, pl_strn(text.ptr, fits));
}

static struct pl_str collected(struct session_job *job)
{
	struct pl_buf buf = PL_BUF(job->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	for (int i = 0; job->form != NULL && i < job->form->count; i++)
		pl_jw_kbool(&w, job->form->slots[i].name, job->state.filled[i] || job->step.value[i].ptr != NULL);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

void session_job_tell(struct session_job *job, const struct pl_err *err)
{
	struct session_reply reply = { .session_id = pl_str(job->id), .text = pl_buf_str(&job->text),
		.is_complete = job->is_complete, .citations = job->end.citations,
		.knowledge = knowledge_lack(&job->found) };
	struct pl_task *asker = job->asker;

	if (asker == NULL)
		return;
	job->asker = NULL;
	reply.collected = collected(job);
	job->done(job->arg, err == NULL ? &reply : NULL, err);
	pl_task_release(&asker);
}

/* ---- storing ---- */

static void on_stored(void *arg, const struct pl_str *session, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct timeval pause = { RETRY_S, 0 };

	if (err != NULL) {
		session_job_tell(job, err);
		if (!pl_err_info(err->code)->temporary || err->code == PL_E_STOPPING) {
			if (err->code == PL_E_STOPPING)
				job->index = -1; /* another worker stores it */
			pl_log(PL_LOG_WARN, job->task, "answer in a session not stored", "session=%.8s error=%s",
			    job->id, pl_err_info(err->code)->code);
			session_job_free(job);
			return;
		}
		if (!job->again)
			pl_log(PL_LOG_WARN, job->task, "end of an answer has to wait", "session=%.8s error=%s", job->id,
			    pl_err_info(err->code)->code);
		job->again = true;
		evtimer_add(job->retry, &pause);
		return;
	}
	if (session->ptr != NULL)
		session_live_changed(job->sessions->svc, *session);
	session_job_tell(job, job->err.code != PL_E_OK ? &job->err : NULL);
	session_job_free(job);
}

static void store_send(struct session_job *job)
{
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_session_answer(job->sessions->svc->db, job->task, &job->end, on_stored, job);
}

static void store_again(evutil_socket_t fd, short what, void *arg)
{
	store_send(arg);
}

/* The tokens and the cost of the form's question belong to the answer too. */
static void add_extraction(struct session_job *job)
{
	struct session_answer *end = &job->end;
	bool alone = end->model.ptr == NULL;		/* the form answered by itself */

	if (!job->extracting)
		return;
	if (job->extract_prompt > 0)
		end->prompt_tokens = job->extract_prompt + (end->prompt_tokens > 0 ? end->prompt_tokens : 0);
	if (job->extract_completion > 0)
		end->completion_tokens = job->extract_completion +
		    (end->completion_tokens > 0 ? end->completion_tokens : 0);
	if (alone)
		end->model = job->extract_model;
	/* where one of the two is not told, the price table charges both */
	if (alone || end->cost_micros < 0 || job->extract_cost < 0)
		end->cost_micros = alone ? job->extract_cost : -1;
	else
		end->cost_micros += job->extract_cost;
}

void session_job_store(struct session_job *job)
{
	job->end.id = pl_str(job->question > 0 ? job->id : job->token);
	job->end.question = job->question;
	job->end.content = pl_buf_str(&job->text);
	add_extraction(job);
	store_send(job);
}

/* ---- answers whose worker died ---- */

void session_adopt(struct sessions *sessions, const struct shm_gen_info *info, struct pl_str text)
{
	struct session_job *job = session_job_new(sessions, svc_config(sessions->svc), info->id);
	struct shm_gen_info place = *info;

	memcpy(job->token, info->id, sizeof(job->token));
	job->end.state = SESSION_INTERRUPTED;
	job->end.upstream = pl_str(job->config->s.llm_default);
	place.state = SHM_GEN_RUNNING;
	job->index = shm_gen_take(sessions->svc->shm, &place);
	session_job_text(job, text);
	pl_log(PL_LOG_WARN, job->task, "an answer was interrupted by the death of its worker", "question=%s", info->id);
	session_job_store(job);
}

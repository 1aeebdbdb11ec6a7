/* SPDX-License-Identifier: ISC */
/*
 * The end of an answer in a session: its text, tokens and slots are stored, then the asker is told. What the database
 * cannot do now is done again every second.
 */
#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/session_job.h"
#include "svc/session_live.h"

#define RETRY_S 1

static void store_again(evutil_socket_t fd, short what, void *arg);

struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct session_job *job = pl_alloc(task->pool, sizeof(*job));

	*job = (struct session_job){ .sessions = sessions, .config = config_hold(config), .task = task, .next = sessions->jobs,
		.index = -1, .state = { .requested = -1 },
		.end = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1, .state = SESSION_DONE } };
	memcpy(job->id, id, sizeof(job->id));
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
	struct config *config = (struct config *)(uintptr_t)job->config;
	struct sessions *sessions = job->sessions;
	struct pl_task *task = job->task;

	PL_BUG(job->asker != NULL);
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
	pl_buf_fini(&job->text);
	pl_buf_fini(&job->extracted);
	config_release(&config);
	pl_task_release(&task);
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
		.is_complete = job->end.is_complete, .citations = job->end.citations,
		.knowledge = knowledge_lack(&job->found) };
	struct pl_task *asker = job->asker;

	if (asker == NULL)
		return;
	job->asker = NULL;
	reply.collected = collected(job);
	job->done(job->arg, err == NULL ? &reply : NULL, err);
	pl_task_release(&asker);
}

/* ---- what the form learned ---- */

static void write_slot(struct session_job *job, struct pl_jw *w, int i)
{
	const struct form_slot *slot = &job->form->slots[i];
	struct pl_pool *pool = job->task->pool;
	bool taken = job->step.value[i].ptr != NULL;

	pl_jw_object(w);
	pl_jw_kcstr(w, "name", slot->name);
	pl_jw_ki64(w, "tries", job->step.tries[i]);
	pl_jw_kbool(w, "collected", taken);
	if (taken && slot->s->sensitive) {
		struct pl_str context = pl_str(pl_sprintf(pool, "session:%s:%s", job->id, slot->name));
		struct pl_str sealed = pl_seal(pool, &job->config->seal_ring, context, job->step.value[i]);
		char *hex = pl_alloc(pool, sealed.len * 2 + 1);

		pl_hex(sealed.ptr, sealed.len, hex);
		pl_jw_kcstr(w, "sealed", hex);
	} else if (taken) {
		pl_jw_kstr(w, "value", job->step.value[i]);
		/* a name's surroundings may hold another slot's value */
		pl_jw_kstr(w, "raw", form_mask(job->form, pool, &job->state, &job->step, job->step.raw[i]));
	}
	pl_jw_end_object(w);
}

static struct pl_str slots_json(struct session_job *job)
{
	struct pl_buf buf = PL_BUF(job->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_array(&w);
	for (int i = 0; i < job->form->count; i++)
		if (job->step.value[i].ptr != NULL || job->step.tries[i] != job->state.tries[i])
			write_slot(job, &w, i);
	pl_jw_end_array(&w);
	return pl_buf_str(&buf);
}

/* ---- storing ---- */

static void on_stored(void *arg, const bool *done, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct timeval pause = { RETRY_S, 0 };

	if (err != NULL) {
		session_job_tell(job, err);
		if (!pl_err_info(err->code)->temporary || err->code == PL_E_STOPPING) {
			if (err->code == PL_E_STOPPING)
				job->index = -1; /* another worker stores it */
			pl_log(PL_LOG_WARN, job->task, "answer in a session not stored", "session=%.8s error=%s", job->id,
			    pl_err_info(err->code)->code);
			session_job_free(job);
			return;
		}
		if (!job->end.again)
			pl_log(PL_LOG_WARN, job->task, "end of an answer has to wait", "session=%.8s error=%s", job->id,
			    pl_err_info(err->code)->code);
		job->end.again = true;
		evtimer_add(job->retry, &pause);
		return;
	}
	session_live_changed(job->sessions->svc, pl_str(job->id));
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
		end->completion_tokens = job->extract_completion + (end->completion_tokens > 0 ? end->completion_tokens : 0);
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
	job->end.id = pl_str(job->id);
	job->end.question = job->question;
	job->end.content = pl_buf_str(&job->text);
	add_extraction(job);
	if (job->form != NULL && !job->adopted) {
		job->end.slots = slots_json(job);
		job->end.requested = job->step.requested >= 0 ? pl_str(job->form->slots[job->step.requested].name) : PL_STR_NONE;
		job->end.is_complete = job->step.complete;
	}
	store_send(job);
}

/* ---- answers whose worker died ---- */

void session_adopt(struct sessions *sessions, const struct shm_gen_info *info, struct pl_str text)
{
	struct session_job *job = session_job_new(sessions, svc_config(sessions->svc), info->id);
	struct shm_gen_info place = *info;

	job->adopted = true;
	job->question = info->reply_to_seq;
	job->end.state = SESSION_INTERRUPTED;
	job->end.again = true;
	job->end.upstream = pl_str(job->config->s.llm_default);
	place.state = SHM_GEN_RUNNING;
	job->index = shm_gen_take(sessions->svc->shm, &place);
	session_job_text(job, text);
	pl_log(PL_LOG_WARN, job->task, "an answer was interrupted by the death of its worker", "session=%.8s", info->id);
	session_job_store(job);
}

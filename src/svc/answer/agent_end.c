/* SPDX-License-Identifier: ISC */
/*
 * The end of an answer: agent_finish -> end_on_stored -> end_on_ended -> follow-up; and answers whose worker died.
 *
 * The text is appended under the client id "gen:ID", so whoever stores it, and however often, there is one message.
 * What the database cannot do now is done again every second: a row left behind would keep the role busy for ever.
 */
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/answer/agent_job.h"
#include "svc/session/session.h"

#define RETRY_S 1
#define ADOPT_S 3	/* after a death others store what its answers had so far; what they leave is marked then */
#define LINGER_S 2	/* how long the text stays in shared memory for viewers on other workers */

/* {"model","usage":{..},"citations":[..],"knowledge"} */
static struct pl_str write_meta(struct agent_job *job)
{
	struct pl_buf buf = PL_BUF(job->task->pool);
	struct pl_jw w = PL_JW(&buf);
	struct pl_str citations = knowledge_cite(job->task->pool, &job->found, pl_buf_str(&job->text)),
	    lack = knowledge_lack(&job->found);
	int64_t prompt_tokens = job->end.prompt_tokens, completion_tokens = job->end.completion_tokens;

	pl_jw_object(&w);
	pl_jw_kstr(&w, "model", job->end.model);
	pl_jw_key(&w, "usage");
	pl_jw_object(&w);
	if (prompt_tokens >= 0)
		pl_jw_ki64(&w, "prompt_tokens", prompt_tokens);
	if (completion_tokens >= 0)
		pl_jw_ki64(&w, "completion_tokens", completion_tokens);
	if (prompt_tokens >= 0 && completion_tokens >= 0)
		pl_jw_ki64(&w, "total_tokens", prompt_tokens + completion_tokens);
	pl_jw_kcstr(&w, "stop", job->stop);
	pl_jw_end_object(&w);
	if (citations.ptr != NULL)
		pl_jw_kraw(&w, "citations", citations);
	if (lack.ptr != NULL)
		pl_jw_kstr(&w, "knowledge", lack);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

static int told_state(enum gen_state outcome)
{
	switch (outcome) {
	case GEN_DONE:
		return HUB_GEN_DONE;
	case GEN_CANCELLED:
		return HUB_GEN_CANCELLED;
	case GEN_INTERRUPTED:
		return HUB_GEN_INTERRUPTED;
	default:
		return HUB_GEN_FAILED;
	}
}

/* Shall this be done again? Also when the process ends and nothing can be done: agents_free() takes the job then. */
static bool again(struct agent_job *job, const struct pl_err *err, void (*step)(struct agent_job *job))
{
	struct timeval pause = { RETRY_S, 0 };

	if (job->agents->svc->hub == NULL)
		return true;
	if (!pl_err_info(err->code)->temporary)
		return false;
	if (!job->retried)
		pl_log(PL_LOG_WARN, job->task, "end of an answer has to wait", "generation=%s error=%s", job->id,
		    pl_err_info(err->code)->code);
	job->retried = true;
	job->retry = step;
	return evtimer_add(job->timer, &pause) == 0;
}

static void end_send(struct agent_job *job);

static void job_over(struct agent_job *job)
{
	struct agents *a = job->agents;
	struct timeval linger = { LINGER_S, 0 };

	agent_tell(job, told_state(job->outcome), job->code);
	if (job->index >= 0)
		shm_gen_state(a->svc->shm, job->index, SHM_GEN_ENDED);
	job->over = true;
	a->running--;
	if (evtimer_add(job->timer, &linger) != 0)
		agent_job_free(job);
}

static void end_on_ended(void *arg, const struct generation_ended *ended, const struct pl_err *err)
{
	struct agent_job *job = arg;

	if (err != NULL && again(job, err, end_send))
		return;
	if (err != NULL)
		pl_log(PL_LOG_WARN, job->task, "end of an answer not recorded", "generation=%s error=%s", job->id,
		    pl_err_info(err->code)->code);
	else if (ended->follow_up_seq > 0 && (job->ending != AGENT_CUT || job->adopted))
		agent_follow_up(job->agents, job->config, ended);
	if (err == NULL) {
		job->outcome = ended->state;
		job->end.answer_seq = ended->answer_seq;
	}
	/* only now: whoever is told "done" finds the row done */
	job_over(job);
}

static void end_send(struct agent_job *job)
{
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_generation_end(job->agents->svc->db, job->task, &job->end, end_on_ended, job);
}

static void end_row(struct agent_job *job)
{
	enum shm_metric counter = job->outcome == GEN_DONE ? SHM_M_llm_done :
	    job->outcome == GEN_CANCELLED ? SHM_M_llm_cancelled : SHM_M_llm_failed;

	for (int c = 0; job->end.error_code.ptr != NULL && c < PL_E_COUNT; c++)
		if (pl_str_is(job->end.error_code, pl_err_info(c)->code))
			job->code = c;
	shm_count(job->agents->svc->shm, counter, 1);
	job->end.id = pl_str(job->id);
	job->end.state = job->outcome;
	end_send(job);
}

static void store(struct agent_job *job);

static void end_unstored(struct agent_job *job, const struct pl_err *err)
{
	pl_log(PL_LOG_WARN, job->task, "answer not stored as a message", "generation=%s error=%s", job->id,
	    pl_err_info(err->code)->code);
	if (job->adopted && err->code == PL_E_CONFLICT) {
		end_row(job); /* the whole answer was stored before its worker died; the row follows it */
		return;
	}
	/* the role was taken out meanwhile, say: the text stays with the row */
	job->end.partial = pl_buf_str(&job->text);
	job->end.error_code = pl_str(pl_err_info(err->code)->code);
	if (job->outcome == GEN_DONE)
		job->outcome = GEN_FAILED;
	end_row(job);
}

static void end_on_stored(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct agent_job *job = arg;
	struct room_event event = { .is_message = true };

	if (err != NULL) {
		if (!again(job, err, store))
			end_unstored(job, err);
		return;
	}
	job->end.answer_seq = result->seq;
	event.message = (struct message){ .room_id = job->question.room_id, .seq = result->seq,
		.author_kind = AUTHOR_ROLE, .author_id = job->role.id, .author_name = job->role.name,
		.client_id = pl_str(job->client_id), .content = pl_buf_str(&job->text), .reply_to = job->question.seq,
		.generation_id = pl_str(job->id), .meta = job->meta, .created_us = result->created_us };
	/* a duplicate is our own, of an unknown outcome, or was published by the worker that stored it */
	if (!result->duplicate || job->retried)
		hub_publish(job->agents->svc->hub, &event);
	end_row(job);
}

static void store(struct agent_job *job)
{
	struct message_new message = { .room_id = job->question.room_id, .author_kind = AUTHOR_ROLE,
		.author_id = job->role.id, .reply_to = job->question.seq, .client_id = pl_str(job->client_id),
		.content = pl_buf_str(&job->text), .generation_id = pl_str(job->id) };

	if (job->meta.ptr == NULL)
		job->meta = write_meta(job);
	message.meta = job->meta;
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_message_append(job->agents->svc->db, job->task, &message, end_on_stored, job);
}

void agent_finish(struct agent_job *job, const struct llm_result *result, const struct pl_err *err)
{
	if (job->agents->svc->hub == NULL)
		return; /* the process ends; agents_free() takes the job */
	job->end.model = result != NULL ? pl_str_dup(job->task->pool, result->model) : job->role.model;
	if (result != NULL) {
		job->end.prompt_tokens = result->prompt_tokens;
		job->end.completion_tokens = result->completion_tokens;
		job->end.cost_micros = result->cost_micros;
		if (result->first_us >= 0)
			shm_count(job->agents->svc->shm, SHM_M_llm_first_us, result->first_us);
	}
	if (job->ending == AGENT_STOPPED)
		job->outcome = GEN_CANCELLED, job->stop = "cancelled";
	else if (job->ending == AGENT_CUT)
		job->outcome = GEN_INTERRUPTED, job->stop = "interrupted";
	else if (job->full)
		job->outcome = GEN_DONE, job->stop = "length";
	else if (err != NULL)
		job->outcome = GEN_FAILED, job->stop = "failed";
	else
		job->outcome = GEN_DONE, job->stop = llm_stop_text(result->stop);
	if (job->outcome == GEN_FAILED) {
		job->end.error_code = pl_str(pl_err_info(err->code)->code);
		pl_log(PL_LOG_WARN, job->task, "answer failed", "generation=%s room=%lld error=%s detail=%s", job->id,
		    (long long)job->question.room_id, pl_err_info(err->code)->code, pl_err_text(err));
	}
	if (job->text.len == 0) {
		end_row(job);
		return;
	}
	agent_tell(job, HUB_GEN_DELTA, PL_E_OK); /* nobody shall get text after the message */
	store(job);
}

/* ---- answers whose worker died ---- */

static void adopt_role(struct agent_job *job);

static void adopt_on_role(void *arg, const struct role *role, const struct pl_err *err)
{
	struct agent_job *job = arg;

	if (err != NULL && again(job, err, adopt_role))
		return;
	if (err == NULL)
		job->role.name = pl_str_dup(job->task->pool, role->name);
	agent_finish(job, NULL, NULL);
}

/* Live viewers want its name. */
static void adopt_role(struct agent_job *job)
{
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_role_get(job->agents->svc->db, job->task, job->role.id, adopt_on_role, job);
}

/* An orphan becomes a job of this worker that was cut: should this one die too, the next finds it. */
static void adopt_one(void *arg, const struct shm_gen_info *info, struct pl_str text)
{
	struct agents *agents = arg;
	struct agent_question question = { .room_id = info->room_id, .seq = info->reply_to_seq,
		.asker_id = info->asker_id };
	struct role role = { .id = info->role_id };
	struct shm_gen_info place = *info;
	struct agent_job *job;

	if (info->state == SHM_GEN_ENDED)
		return;
	if (info->room_id == 0) {
		session_adopt(agents->svc->sessions, info, text);
		return;
	}
	job = agent_job_new(agents, svc_config(agents->svc), &question, &role);
	agent_job_name(job, info->id);
	job->adopted = true;
	job->ending = AGENT_CUT;
	pl_buf_add(&job->text, text.ptr, text.len);
	place.state = SHM_GEN_RUNNING;
	job->index = shm_gen_take(agents->svc->shm, &place);
	if (job->index >= 0)
		shm_gen_append(agents->svc->shm, job->index, text.ptr, (uint32_t)text.len);
	pl_log(PL_LOG_WARN, job->task, "an answer was interrupted by the death of its worker",
	    "generation=%s room=%lld", info->id, (long long)info->room_id);
	adopt_role(job);
}

struct marking { struct agents *agents; struct pl_task *task; };

static void mark_on_rows(void *arg, const struct generation_list *list, const struct pl_err *err)
{
	struct marking *marking = arg;
	struct agents *agents = marking->agents;
	struct pl_task *task = marking->task;
	struct timeval pause = { RETRY_S, 0 };

	if (err != NULL && agents->svc->hub != NULL)
		evtimer_add(agents->late, &pause);
	if (err == NULL && list->count > 0)
		pl_log(PL_LOG_WARN, task, "answers of an earlier run marked interrupted", "count=%d", list->count);
	pl_task_release(&task);
}

static void mark(evutil_socket_t fd, short what, void *arg)
{
	struct agents *agents = arg;
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct marking *marking = pl_alloc(task->pool, sizeof(*marking));

	*marking = (struct marking){ .agents = agents, .task = task };
	repo_generation_interrupt(agents->svc->db, task, mark_on_rows, marking);
}

void agents_adopt(struct agents *agents)
{
	const struct svc *svc = agents->svc;
	bool first = atomic_load(&svc->shm->scores[svc->shm->slot].generation) == 1;
	struct timeval wait = { first ? 0 : ADOPT_S, 0 };

	shm_gen_orphans(svc->shm, adopt_one, agents);
	if (agents->started)
		return;
	agents->started = true;
	agents->late = evtimer_new(svc->worker->base, mark, agents);
	PL_BUG(agents->late == NULL);
	evtimer_add(agents->late, &wait);
}

/* SPDX-License-Identifier: ISC */
/*
 * The end of an answer: agent_finish -> end_on_stored -> end_on_ended -> follow-up; and answers whose worker died.
 *
 * The text is appended under the client id "gen:ID", so whoever stores it, and however often, there is one message.
 */
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/agent_job.h"

#define LINGER_S 2	/* how long the text stays in shared memory for viewers on other workers */

struct pl_str agent_meta(struct pl_pool *pool, struct pl_str model, int64_t prompt_tokens, int64_t completion_tokens,
    const char *stop)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kstr(&w, "model", model);
	pl_jw_key(&w, "usage");
	pl_jw_object(&w);
	if (prompt_tokens >= 0)
		pl_jw_ki64(&w, "prompt_tokens", prompt_tokens);
	if (completion_tokens >= 0)
		pl_jw_ki64(&w, "completion_tokens", completion_tokens);
	if (prompt_tokens >= 0 && completion_tokens >= 0)
		pl_jw_ki64(&w, "total_tokens", prompt_tokens + completion_tokens);
	pl_jw_kcstr(&w, "stop", stop);
	pl_jw_end_object(&w);
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

static void end_on_ended(void *arg, const struct generation_ended *ended, const struct pl_err *err)
{
	struct agent_job *job = arg;
	struct agents *a = job->agents;
	struct timeval linger = { LINGER_S, 0 };

	if (err != NULL)
		pl_log(PL_LOG_WARN, job->task, "end of an answer not recorded", "generation=%s error=%s", job->id,
		    pl_err_info(err->code)->code);
	else if (ended->follow_up_seq > 0 && job->ending != AGENT_CUT)
		agent_follow_up(a, job->config, ended);
	/* only now: whoever is told "done" finds the row done */
	agent_tell(job, told_state(job->outcome), job->code);
	shm_gen_state(a->svc->shm, job->index, SHM_GEN_ENDED);
	job->over = true;
	a->running--;
	if (evtimer_add(job->timer, &linger) != 0)
		agent_job_free(job);
}

static void end_row(struct agent_job *job)
{
	enum shm_metric counter = job->outcome == GEN_DONE ? SHM_M_llm_done :
	    job->outcome == GEN_CANCELLED ? SHM_M_llm_cancelled : SHM_M_llm_failed;
	enum pl_code code = PL_E_OK;

	for (int c = 0; job->end.error_code.ptr != NULL && c < PL_E_COUNT; c++)
		if (pl_str_is(job->end.error_code, pl_err_info(c)->code))
			code = c;
	shm_count(job->agents->svc->shm, counter, 1);
	job->code = code;
	job->end.id = pl_str(job->id);
	job->end.state = job->outcome;
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_generation_end(job->agents->svc->db, job->task, &job->end, end_on_ended, job);
}

static void end_on_stored(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct agent_job *job = arg;
	struct room_event event = { .is_message = true };

	if (err != NULL) {
		/* the role was taken out meanwhile, or the database is away: the text stays with the row if it can */
		job->end.partial = pl_buf_str(&job->text);
		job->end.error_code = pl_str(pl_err_info(err->code)->code);
		if (job->outcome == GEN_DONE)
			job->outcome = GEN_FAILED;
		pl_log(PL_LOG_WARN, job->task, "answer not stored as a message", "generation=%s error=%s", job->id,
		    pl_err_info(err->code)->code);
		end_row(job);
		return;
	}
	job->end.answer_seq = result->seq;
	event.message = (struct message){ .room_id = job->question.room_id, .seq = result->seq, .author_kind = AUTHOR_ROLE,
		.author_id = job->role.id, .author_name = job->role.name, .client_id = pl_str(job->client_id),
		.content = pl_buf_str(&job->text), .reply_to = job->question.seq, .generation_id = pl_str(job->id),
		.meta = job->end.partial, .created_us = result->created_us };
	job->end.partial = PL_STR_NONE;
	if (!result->duplicate)
		hub_publish(job->agents->svc->hub, &event);
	end_row(job);
}

static void store(struct agent_job *job, const char *stop)
{
	struct message_new message = { .room_id = job->question.room_id, .author_kind = AUTHOR_ROLE, .author_id = job->role.id,
		.reply_to = job->question.seq, .client_id = pl_str(job->client_id), .content = pl_buf_str(&job->text),
		.generation_id = pl_str(job->id) };

	message.meta = agent_meta(job->task->pool, job->end.model, job->end.prompt_tokens, job->end.completion_tokens, stop);
	job->end.partial = message.meta; /* kept for the event; end_on_stored() puts it right */
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S;
	repo_message_append(job->agents->svc->db, job->task, &message, end_on_stored, job);
}

void agent_finish(struct agent_job *job, const struct llm_result *result, const struct pl_err *err)
{
	const char *stop;

	job->end.model = result != NULL ? pl_str_dup(job->task->pool, result->model) : job->role.model;
	if (result != NULL) {
		job->end.prompt_tokens = result->prompt_tokens;
		job->end.completion_tokens = result->completion_tokens;
		if (result->first_us >= 0)
			shm_count(job->agents->svc->shm, SHM_M_llm_first_us, result->first_us);
	}
	if (job->ending == AGENT_STOPPED)
		job->outcome = GEN_CANCELLED, stop = "cancelled";
	else if (job->ending == AGENT_CUT)
		job->outcome = GEN_INTERRUPTED, stop = "interrupted";
	else if (job->full)
		job->outcome = GEN_DONE, stop = "length";
	else if (err != NULL)
		job->outcome = GEN_FAILED, stop = "failed";
	else
		job->outcome = GEN_DONE, stop = llm_stop_text(result->stop);
	if (job->outcome == GEN_FAILED) {
		job->end.error_code = pl_str(pl_err_info(err->code)->code);
		pl_log(PL_LOG_WARN, job->task, "answer failed", "generation=%s room=%lld error=%s detail=%s", job->id,
		    (long long)job->question.room_id, pl_err_info(err->code)->code, pl_err_text(err));
	}
	if (job->text.len > 0)
		store(job, stop);
	else
		end_row(job);
}

/* ---- answers whose worker died ---- */

struct adopted {
	struct agents *agents;
	struct pl_task *task;
	struct shm_gen_info info;
	struct pl_str text, meta;
	char client_id[PL_UUID_LEN + 5];
	struct generation_end end;
};

static void adopt_on_ended(void *arg, const struct generation_ended *ended, const struct pl_err *err)
{
	struct adopted *a = arg;
	struct pl_task *task = a->task;
	struct hub_generation gen = { .role_id = a->info.role_id, .asker_id = a->info.asker_id, .reply_to = a->info.reply_to_seq,
		.state = HUB_GEN_INTERRUPTED, .answer_seq = a->end.answer_seq };

	memcpy(gen.id, a->info.id, sizeof(gen.id));
	hub_generation(a->agents->svc->hub, a->info.room_id, &gen);
	pl_log(PL_LOG_WARN, task, "an answer was interrupted by the death of its worker", "generation=%s room=%lld", a->info.id,
	    (long long)a->info.room_id);
	pl_task_release(&task);
}

static void adopt_end(struct adopted *a)
{
	repo_generation_end(a->agents->svc->db, a->task, &a->end, adopt_on_ended, a);
}

static void adopt_on_stored(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct adopted *a = arg;

	if (err == NULL) {
		struct room_event event = { .is_message = true, .message = { .room_id = a->info.room_id, .seq = result->seq,
			.author_kind = AUTHOR_ROLE, .author_id = a->info.role_id, .client_id = pl_str(a->client_id), .content = a->text,
			.reply_to = a->info.reply_to_seq, .generation_id = pl_str(a->info.id), .meta = a->meta,
			.created_us = result->created_us } };

		a->end.answer_seq = result->seq;
		if (!result->duplicate)
			hub_publish(a->agents->svc->hub, &event);
	} else if (err->code != PL_E_CONFLICT) { /* conflict: the whole answer was stored before its worker died */
		a->end.partial = a->text;
	}
	adopt_end(a);
}

static void adopt_one(void *arg, const struct shm_gen_info *info, struct pl_str text)
{
	struct agents *agents = arg;
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct adopted *a = pl_alloc(task->pool, sizeof(*a));
	struct message_new message;

	*a = (struct adopted){ .agents = agents, .task = task, .info = *info, .text = pl_str_dup(task->pool, text),
		.end = { .state = GEN_INTERRUPTED, .prompt_tokens = -1, .completion_tokens = -1 } };
	a->end.id = pl_str(a->info.id);
	a->meta = agent_meta(task->pool, PL_STR_NONE, -1, -1, "interrupted");
	snprintf(a->client_id, sizeof(a->client_id), "gen:%s", a->info.id);
	message = (struct message_new){ .room_id = info->room_id, .author_kind = AUTHOR_ROLE, .author_id = info->role_id,
		.reply_to = info->reply_to_seq, .client_id = pl_str(a->client_id), .content = a->text,
		.generation_id = pl_str(a->info.id), .meta = a->meta };
	if (text.len > 0)
		repo_message_append(agents->svc->db, task, &message, adopt_on_stored, a);
	else
		adopt_end(a);
}

static void adopt_on_rows(void *arg, const struct generation_list *list, const struct pl_err *err)
{
	struct pl_task *task = arg;

	if (err == NULL && list->count > 0)
		pl_log(PL_LOG_WARN, task, "answers of an earlier run marked interrupted", "count=%d", list->count);
	pl_task_release(&task);
}

void agents_adopt(struct agents *agents)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);

	shm_gen_orphans(agents->svc->shm, adopt_one, agents);
	repo_generation_interrupt(agents->svc->db, task, adopt_on_rows, task);
}

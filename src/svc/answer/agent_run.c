/* SPDX-License-Identifier: ISC */
/*
 * One answer from its place in the tables to the model's last word:
 * agent_start -> run_on_begun -> run_on_history -> run_on_found -> run_on_key -> on_delta* -> on_done (agent_end.c
 * takes over).
 */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "log.h"
#include "svc/answer/agent_job.h"
#include "svc/account/limits.h"
#include "svc/account/provider_key.h"

void agent_tell(struct agent_job *job, int state, enum pl_code error)
{
	struct hub_generation gen = { .role_id = job->role.id, .asker_id = job->question.asker_id,
		.reply_to = job->question.seq, .state = state, .offset = (int64_t)job->text.len,
		.answer_seq = job->end.answer_seq, .role_name = job->role.name, .error = error };

	if (job->agents->svc->hub == NULL)
		return; /* the process ends */
	job->told = job->text.len;
	memcpy(gen.id, job->id, sizeof(gen.id));
	hub_generation(job->agents->svc->hub, job->question.room_id, &gen);
}

void agent_job_free(struct agent_job *job)
{
	struct agents *a = job->agents;
	struct pl_task *task = job->task;

	if (job->index >= 0)
		shm_gen_free(a->svc->shm, job->index);
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		a->jobs = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	if (!job->over)
		a->running--;
	event_free(job->timer);
	pl_buf_fini(&job->text);
	pl_task_release(&task);
}

/* It never began: viewers learn why, nothing is stored. */
static void give_up(struct agent_job *job, enum pl_code code)
{
	agent_tell(job, HUB_GEN_FAILED, code);
	agent_job_free(job);
}

static void flush_delta(struct agent_job *job)
{
	struct timeval gather = { 0, (suseconds_t)(job->config->s.llm_delta * 1000 % 1000000) };

	if (job->timer_armed)
		return;
	gather.tv_sec = job->config->s.llm_delta / 1000;
	agent_tell(job, HUB_GEN_DELTA, PL_E_OK);
	job->timer_armed = evtimer_add(job->timer, &gather) == 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent_job *job = arg;
	void (*retry)(struct agent_job *job) = job->retry;

	job->timer_armed = false;
	job->retry = NULL;
	if (job->over)
		agent_job_free(job); /* viewers elsewhere had time to read the rest of the text */
	else if (retry != NULL)
		retry(job);
	else if (job->text.len > job->told)
		flush_delta(job); /* and gathers again */
}

static void on_delta(void *arg, struct pl_str text)
{
	struct agent_job *job = arg;
	size_t room = SHM_GEN_TEXT - job->text.len, fits = text.len;

	if (job->full)
		return;
	if (fits > room)
		fits = pl_utf8_cut(text.ptr, text.len, room);
	if (job->text.len == 0)
		job->end.first_text_us = pl_wall_us();
	pl_buf_add(&job->text, text.ptr, fits);
	shm_gen_append(job->agents->svc->shm, job->index, text.ptr, (uint32_t)fits);
	flush_delta(job);
	if (fits < text.len) {
		job->full = true;
		llm_cancel(job->call);
	}
}

static void on_done(void *arg, const struct llm_result *result, const struct pl_err *err)
{
	struct agent_job *job = arg;

	job->call = NULL;
	agent_finish(job, result, err);
}

/* The newest messages that fit into the budget, oldest first. */
static int gather_context(struct agent_job *job, const struct message_list *list, struct llm_message *out)
{
	int64_t left = job->config->s.llm_context;
	int first = list->count, n = 0;

	while (first > 0 && left - (int64_t)list->rows[first - 1].content.len > 0)
		left -= (int64_t)list->rows[--first].content.len;
	if (first == list->count && first > 0)
		first--; /* the question itself, however long */
	for (int i = first; i < list->count; i++) {
		const struct message *m = &list->rows[i];
		bool own = m->author_kind == AUTHOR_ROLE && m->author_id == job->role.id;

		if (m->deleted_us == 0 && m->content.len > 0)
			out[n++] = (struct llm_message){ .from = own ? LLM_ASSISTANT : LLM_USER,
				.name = own ? PL_STR_NONE : m->author_name, .text = m->content };
	}
	return n;
}

/* The upstream that the role names, NULL for the built-in one; false when there is none of that name. */
static bool find_upstream(const struct agent_job *job, const struct upstream_settings **upstream_r)
{
	struct pl_str name = job->role.upstream.ptr != NULL ? job->role.upstream : pl_str(job->config->s.llm_default);

	*upstream_r = pl_str_is(name, LLM_LOCAL) ? NULL : config_upstream(job->config, name);
	return *upstream_r != NULL || pl_str_is(name, LLM_LOCAL);
}

/* The asker's own key, if there is one for this upstream, wins over the section's. */
static void run_on_key(void *arg, struct pl_str key, const struct pl_err *err)
{
	struct agent_job *job = arg;
	struct pl_err stopped = { 0 };

	if (err == NULL && job->ending != AGENT_GOES_ON) {
		pl_err_set(&stopped, PL_E_CANCELLED, NULL);
		err = &stopped;
	}
	if (err != NULL) {
		agent_finish(job, NULL, err);
		return;
	}
	job->ask.key = key;
	if (job->ask.upstream != NULL)
		job->task->deadline_ns = pl_now_ns() + (job->ask.upstream->total_timeout + 1000) * PL_NS_PER_MS;
	shm_gen_state(job->agents->svc->shm, job->index, SHM_GEN_RUNNING);
	agent_tell(job, HUB_GEN_STARTED, PL_E_OK);
	job->call = llm_ask(job->agents->svc->llm, job->task, &job->ask, on_delta, on_done, job);
}

static void run_on_found(void *arg, const struct knowledge_found *found)
{
	struct agent_job *job = arg;

	job->found = *found;
	job->ask.passages = found->passages;
	job->ask.passages_count = found->count;
	if (found->prompt.ptr != NULL)
		job->ask.system = pl_str(pl_sprintf(job->task->pool, "%.*s%.*s", PL_FMT(job->ask.system),
		    PL_FMT(found->prompt)));
	if (provider_key_wanted(job->question.asker_id, job->ask.upstream))
		provider_key_find(job->agents->svc, job->config, job->task, job->question.asker_id, job->ask.upstream,
		    run_on_key, job);
	else
		run_on_key(job, PL_STR_NONE, NULL);
}

static void run_on_history(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct agent_job *job = arg;
	struct pl_err gone = { 0 };
	struct llm_message *messages;

	job->ask = (struct llm_request){ .temperature = job->role.temperature < 0 ? (double)NAN : job->role.temperature,
		.max_tokens = job->role.max_tokens, .model = job->role.model, .config = job->config };
	if (err == NULL && !find_upstream(job, &job->ask.upstream)) {
		pl_err_set(&gone, PL_E_UPSTREAM, "The role's upstream \"%.*s\" is not configured.",
		    PL_FMT(job->role.upstream));
		err = &gone;
	}
	if (err != NULL) {
		agent_finish(job, NULL, err);
		return;
	}
	messages = pl_alloc(job->task->pool, ((size_t)list->count + 1) * sizeof(*messages));
	job->ask.messages = messages;
	job->ask.messages_count = gather_context(job, list, messages);
	job->ask.system =
	    pl_str(pl_sprintf(job->task->pool,
	    "You are %.*s, taking part in the chat room \"%.*s\". Messages of "
	    "others begin with their name and a colon; yours do not.\n%.*s", PL_FMT(job->role.name),
	    PL_FMT(job->question.room_name), PL_FMT(job->role.instructions)));
	knowledge_find(job->agents->svc, job->config, job->task,
	    list->count > 0 ? list->rows[list->count - 1].content : PL_STR(""), run_on_found, job);
}

/* What LIMIT_ASK_SESSION counts by in rooms. */
static struct pl_str limit_room(const struct agent_job *job)
{
	return pl_str(pl_sprintf(job->task->pool, "room:%lld", (long long)job->question.room_id));
}

static void run_on_begun(void *arg, const struct generation_begun *begun, const struct pl_err *err)
{
	struct agent_job *job = arg;
	int limit = (int)job->config->s.llm_history;

	if (err != NULL && err->code == PL_E_WRITE_UNKNOWN) {
		agent_finish(job, NULL, err); /* a row that may be there would keep the role busy */
		return;
	}
	if (err != NULL) {
		give_up(job, err->code);
		return;
	}
	if (begun->busy) {
		/* the running answer makes one follow-up, which is counted when it begins */
		limits_give(job->agents->svc, job->config, LIMIT_ASK, &job->asker, limit_room(job));
		agent_job_free(job);
		return;
	}
	shm_count(job->agents->svc->shm, SHM_M_llm_started, 1);
	agent_tell(job, HUB_GEN_QUEUED, PL_E_OK);
	repo_message_page(job->agents->svc->db, job->task, job->question.room_id, 0, -1, job->question.seq + 1, limit,
	    run_on_history, job);
}

void agent_job_name(struct agent_job *job, const char *id)
{
	memcpy(job->id, id, sizeof(job->id));
	memcpy(job->client_id, "gen:", 4);
	memcpy(job->client_id + 4, id, sizeof(job->id));
}

struct agent_job *agent_job_new(struct agents *agents, const struct config *config, const struct agent_question *q,
    const struct role *role)
{
	char id[PL_UUID_LEN + 1];
	struct pl_task *task = pl_task_new(pl_now_ns() + 600 * PL_NS_PER_S);
	struct agent_job *job = pl_alloc(task->pool, sizeof(*job));

	*job = (struct agent_job){ .agents = agents, .config = config_keep(task->pool, config), .task = task,
		.question = *q, .role = *role, .index = -1, .next = agents->jobs,
		.end = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1 } };
	job->question.asker_name = pl_str_dup(task->pool, q->asker_name);
	job->question.room_name = pl_str_dup(task->pool, q->room_name);
	job->role.name = pl_str_dup(task->pool, role->name);
	job->role.instructions = pl_str_dup(task->pool, role->instructions);
	job->role.upstream = pl_str_dup(task->pool, role->upstream);
	job->role.model = pl_str_dup(task->pool, role->model);
	pl_uuid_make(id);
	agent_job_name(job, id);
	job->timer = evtimer_new(agents->svc->worker->base, on_timer, job);
	PL_BUG(job->timer == NULL);
	if (agents->jobs != NULL)
		agents->jobs->prev = job;
	agents->jobs = job;
	agents->running++;
	return job;
}

void agent_start(struct agents *agents, const struct config *config, const struct agent_question *question,
    const struct role *role, const char *asker_addr)
{
	struct agent_job *job = agent_job_new(agents, config, question, role);
	struct shm_gen_info info = { .room_id = question->room_id, .role_id = role->id, .asker_id = question->asker_id,
		.reply_to_seq = question->seq };
	struct generation_new row = { .id = pl_str(job->id), .room_id = question->room_id, .role_id = role->id,
		.asker_id = question->asker_id, .reply_to = question->seq,
		.upstream = role->upstream.ptr != NULL ? role->upstream : pl_str(config->s.llm_default),
		.model = role->model };
	struct pl_err err = { 0 };

	if (agents->stopping) {
		give_up(job, PL_E_STOPPING);
		return;
	}
	job->asker.user_id = question->asker_id;
	snprintf(job->asker.addr, sizeof(job->asker.addr), "%s", asker_addr);
	if (!limits_take(agents->svc, config, LIMIT_ASK, &job->asker, limit_room(job), NULL, &err)) {
		give_up(job, err.code);
		return;
	}
	memcpy(info.id, job->id, sizeof(info.id));
	job->index = shm_gen_take(agents->svc->shm, &info);
	if (job->index < 0) {
		give_up(job, PL_E_BUSY);
		return;
	}
	repo_generation_begin(agents->svc->db, job->task, &row, run_on_begun, job);
}

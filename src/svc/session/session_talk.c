/* SPDX-License-Identifier: ISC */
/*
 * A message on its way to an answer:
 * session_talk -> [talk_extract -> on_extracted] -> talk_say -> on_said -> [somebody was faster: on_reread -> talk_say]
 * -> session_turn_come -> [on_found -> on_history -> on_key -> on_delta* -> on_answered] -> session_job_store
 * (session_end.c).
 */
#include <math.h>

#include "clock.h"
#include "log.h"
#include "svc/account/provider_key.h"
#include "svc/session/session_job.h"
#include "svc/session/session_live.h"

#define EXTRACT_MAX_BYTES 8192
#define REREADS_MAX 16
#define CANNOT_ANSWER "I cannot answer that right now."

/* NULL and true: the built-in responder. false: the default is not configured any more. */
static bool upstream_of(const struct config *config, const struct upstream_settings **upstream_r)
{
	struct pl_str name = pl_str(config->s.llm_default);

	*upstream_r = pl_str_is(name, LLM_LOCAL) ? NULL : config_upstream(config, name);
	return *upstream_r != NULL || pl_str_is(name, LLM_LOCAL);
}

static void give_up(struct session_job *job, const struct pl_err *err)
{
	session_job_tell(job, err);
	session_job_free(job);
}

/* ---- the model answers ---- */

static void on_delta(void *arg, struct pl_str text)
{
	struct session_job *job = arg;

	if (job->full)
		return;
	session_job_text(job, text);
	if (job->full)
		llm_cancel(job->call);
}

/* The form's words follow the model's. */
static void add_form_text(struct session_job *job)
{
	if (job->form_text.len == 0 || job->cut)
		return;
	if (job->text.len > 0)
		session_job_text(job, PL_STR("\n\n"));
	session_job_text(job, job->form_text);
}

static void on_answered(void *arg, const struct llm_result *result, const struct pl_err *err)
{
	struct session_job *job = arg;
	bool failed = err != NULL && !job->full && !job->cut;

	job->call = NULL;
	job->end.model = pl_str_dup(job->task->pool, result->model);
	job->end.prompt_tokens = result->prompt_tokens;
	job->end.completion_tokens = result->completion_tokens;
	job->end.cost_micros = result->cost_micros;
	job->end.citations = knowledge_cite(job->task->pool, &job->found, pl_buf_str(&job->text));
	job->end.state = job->cut ? SESSION_INTERRUPTED : failed ? SESSION_FAILED : SESSION_DONE;
	shm_count(job->sessions->svc->shm, job->end.state == SESSION_DONE ? SHM_M_llm_done : SHM_M_llm_failed, 1);
	if (failed || job->cut) {
		if (err != NULL)
			job->err = *err;
		if (job->cut)
			pl_err_set(&job->err, PL_E_STOPPING, NULL);
		pl_log(PL_LOG_WARN, job->task, "answer in a session failed", "session=%.8s error=%s detail=%s", job->id,
		    pl_err_info(job->err.code)->code, pl_err_text(&job->err));
	}
	if (failed && job->form_text.len > 0 && job->text.len == 0) {
		/* the form goes on without the model */
		session_job_text(job, PL_STR(CANNOT_ANSWER));
		job->err = (struct pl_err){ 0 };
	}
	add_form_text(job);
	session_job_store(job);
}

static int gather(struct session_job *job, const struct session_history *history, struct llm_message *out)
{
	int64_t left = job->config->s.llm_context;
	int first = history->count, n = 0;

	while (first > 0 && left - (int64_t)history->rows[first - 1].content.len > 0)
		left -= (int64_t)history->rows[--first].content.len;
	if (first == history->count && first > 0)
		first--; /* the question itself, however long */
	for (int i = first; i < history->count; i++)
		if (history->rows[i].content.len > 0)
			out[n++] = (struct llm_message){ .text = history->rows[i].content,
				.from = history->rows[i].author == SESSION_USER ? LLM_USER : LLM_ASSISTANT };
	return n;
}

/* ---- asking, with the key of the session's user where they have one ---- */

static void on_key(void *arg, struct pl_str key, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct llm_result nothing = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1,
		.model = PL_STR("none") };
	struct pl_err stopped = { 0 };

	if (err == NULL && job->sessions->stopping) {
		job->cut = true;
		pl_err_set(&stopped, PL_E_STOPPING, NULL);
		err = &stopped;
	}
	shm_count(job->sessions->svc->shm, SHM_M_llm_started, 1);
	if (err != NULL) {
		job->ask_done(job, &nothing, err);
		return;
	}
	job->ask.key = key;
	job->end.upstream = pl_str(job->config->s.llm_default);
	job->task->deadline_ns = pl_now_ns() + (job->ask.upstream != NULL ? job->ask.upstream->total_timeout +
	    1000 : 600000) * PL_NS_PER_MS;
	job->call = llm_ask(job->sessions->svc->llm, job->task, &job->ask, job->ask_delta, job->ask_done, job);
}

static void ask(struct session_job *job, llm_delta_fn *delta, llm_done_fn *done)
{
	job->ask_delta = delta;
	job->ask_done = done;
	if (provider_key_wanted(job->user_id, job->ask.upstream))
		provider_key_find(job->sessions->svc, job->config, job->task, job->user_id, job->ask.upstream, on_key,
		    job);
	else
		on_key(job, PL_STR_NONE, NULL);
}

static void on_history(void *arg, const struct session_history *history, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct llm_result nothing = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1,
		.model = PL_STR("none") };
	struct llm_message *messages;
	struct pl_err gone = { 0 };

	job->ask = (struct llm_request){ .config = job->config, .temperature = (double)NAN };
	if (err == NULL && !upstream_of(job->config, &job->ask.upstream)) {
		pl_err_set(&gone, PL_E_UPSTREAM, "The default upstream is not configured.");
		err = &gone;
	}
	if (err != NULL) {
		shm_count(job->sessions->svc->shm, SHM_M_llm_started, 1);
		on_answered(job, &nothing, err);
		return;
	}
	messages = pl_alloc(job->task->pool, ((size_t)history->count + 1) * sizeof(*messages));
	job->ask.messages = messages;
	job->ask.messages_count = gather(job, history, messages);
	job->ask.system =
	    pl_str(pl_sprintf(job->task->pool,
	    "You are the assistant of %s. Answer briefly and to the point.%s%s%s%.*s", job->config->s.server_name,
	    job->form != NULL ? " Beside your answers a form is filled in (" : "",
	    job->form != NULL ? job->form->title : "", job->form != NULL ? "); others ask for its values, you do not." :
	    "", PL_FMT(job->found.prompt)));
	job->ask.passages = job->found.passages;
	job->ask.passages_count = job->found.count;
	ask(job, on_delta, on_answered);
}

/* ---- the message is stored ---- */

static void on_found(void *arg, const struct knowledge_found *found)
{
	struct session_job *job = arg;

	job->found = *found;
	repo_session_history(job->sessions->svc->db, job->task, pl_str(job->id), job->question,
	    (int)job->config->s.llm_history, on_history, job);
}

/* Does the form answer alone? */
static bool form_alone(const struct session_job *job)
{
	return job->form != NULL && job->form_text.len > 0 && !job->step.question;
}

void session_turn_come(struct session_job *job)
{
	if (form_alone(job)) {
		add_form_text(job);
		session_job_store(job);
	} else if (job->sessions->stopping || job->index < 0) {
		job->end.state = job->sessions->stopping ? SESSION_INTERRUPTED : SESSION_FAILED;
		pl_err_set(&job->err, job->sessions->stopping ? PL_E_STOPPING : PL_E_BUSY, NULL);
		session_job_store(job);
	} else {
		knowledge_find(job->sessions->svc, job->config, job->task, job->masked, on_found, job);
	}
}

static void talk_say(struct session_job *job);

/* Another message was faster; this one is read again beside what that one said. */
static void on_reread(void *arg, const struct session *session, const struct pl_err *err)
{
	struct session_job *job = arg;

	if (err != NULL) {
		give_up(job, err);
		return;
	}
	session_form_read(job, session);
	if (job->extracts)
		(void)form_take_model(job->form, job->task->pool, pl_buf_str(&job->extracted), job->message,
		    &job->step);
	talk_say(job);
}

/* Nobody knows whether it was stored: if it was, it shall not keep those behind it waiting. */
static void withdraw(struct session_job *job, const struct pl_err *err)
{
	session_job_tell(job, err);
	job->end.state = SESSION_FAILED;
	session_job_store(job);
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
		give_up(job, &busy);
	} else if (err != NULL && (err->code == PL_E_WRITE_UNKNOWN || err->code == PL_E_DEADLINE)) {
		withdraw(job, err);
	} else if (err != NULL) {
		give_up(job, err);
	} else {
		job->question = said->seq;
		session_live_changed(job->sessions->svc, pl_str(job->id));
		session_turn_wait(job, said->ahead);
	}
}

/* Its place in shared memory comes first: from the moment it is stored others can end what a dying worker began. */
static void talk_say(struct session_job *job)
{
	struct session_message in = { .id = pl_str(job->id), .token = pl_str(job->token), .content = job->message,
		.life_ms = job->config->s.session_life };
	struct shm_gen_info info = { .asker_id = job->user_id, .state = SHM_GEN_RUNNING };

	if (job->form != NULL)
		session_form_step(job, &in);
	job->masked = in.content;
	memcpy(info.id, job->token, sizeof(info.id));
	if (job->index < 0)
		job->index = shm_gen_take(job->sessions->svc->shm, &info);
	job->task->deadline_ns = pl_now_ns() + 30 * PL_NS_PER_S; /* whatever the model took */
	repo_session_say(job->sessions->svc->db, job->task, &in, on_said, job);
}

/* ---- what the form takes out of it ---- */

static void on_extract_delta(void *arg, struct pl_str text)
{
	struct session_job *job = arg;

	if (job->extracted.len + text.len > EXTRACT_MAX_BYTES)
		llm_cancel(job->call);
	else
		pl_buf_addstr(&job->extracted, text);
}

static void on_extracted(void *arg, const struct llm_result *result, const struct pl_err *err)
{
	struct session_job *job = arg;

	job->call = NULL;
	job->cut = false;
	shm_count(job->sessions->svc->shm, err == NULL ? SHM_M_llm_done : SHM_M_llm_failed, 1);
	if (result->prompt_tokens > 0)
		job->extract_prompt = result->prompt_tokens;
	if (result->completion_tokens > 0)
		job->extract_completion = result->completion_tokens;
	job->extract_cost = result->cost_micros;
	job->extract_model = pl_str_dup(job->task->pool, result->model);
	job->extracting = true;
	/* without a model, or when it talks nonsense, the patterns' findings stand */
	if (err != NULL || !form_take_model(job->form, job->task->pool, pl_buf_str(&job->extracted), job->message,
	    &job->step))
		pl_log(PL_LOG_INFO, job->task, "form goes on with its patterns", "session=%.8s error=%s", job->id,
		    err != NULL ? pl_err_info(err->code)->code : "no JSON");
	talk_say(job);
}

static void talk_extract(struct session_job *job, const struct upstream_settings *upstream)
{
	struct llm_message *message = pl_alloc(job->task->pool, sizeof(*message));

	*message = (struct llm_message){ .from = LLM_USER, .text = job->message };
	job->extracts = true;
	job->ask = (struct llm_request){ .config = job->config, .upstream = upstream, .temperature = 0,
		.messages = message, .messages_count = 1, .system = form_prompt(job->form, job->task->pool,
		&job->state) };
	ask(job, on_extract_delta, on_extracted);
}

/* Has a model anything to find? */
static bool wants_model(const struct session_job *job)
{
	if (job->step.cancelled || job->sessions->stopping)
		return false;
	return form_has_word(job->message, &job->form->correct) ||
	    (job->state.over == FORM_GOES_ON && form_next(job->form, &job->state) >= 0);
}

void session_talk(struct svc *svc, const struct config *config, struct pl_task *task, const struct session *session,
    struct pl_str message, session_delta_fn *delta, session_reply_fn *done, void *arg)
{
	struct session_job *job = session_job_new(svc->sessions, config, pl_str_c(task->pool, session->id));
	const struct upstream_settings *upstream = NULL;

	memcpy(job->task->request_id, task->request_id, sizeof(job->task->request_id));
	job->task->who = task->who;
	job->asker = pl_task_hold(task);
	job->delta = delta;
	job->done = done;
	job->arg = arg;
	job->user_id = session->user_id;
	job->message = pl_str_dup(job->task->pool, message);
	job->is_complete = session->is_complete;
	job->form = session->form.ptr != NULL ? form_hold(forms_find(session->form)) : NULL;
	if (job->form == NULL) {
		talk_say(job);
		return;
	}
	session_form_read(job, session);
	if (wants_model(job) && upstream_of(config, &upstream) && upstream != NULL)
		talk_extract(job, upstream);
	else
		talk_say(job);
}

/* SPDX-License-Identifier: ISC */
/*
 * A message on its way to an answer:
 * session_talk -> [talk_extract -> on_extracted] -> talk_say -> on_said -> [on_found -> on_history -> on_delta* -> on_answered] ->
 * session_job_store (session_end.c).
 */
#include <math.h>

#include "clock.h"
#include "log.h"
#include "svc/session_job.h"
#include "svc/session_live.h"

#define EXTRACT_MAX_BYTES 8192
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

static void ask(struct session_job *job, struct llm_request *request, llm_delta_fn *delta, llm_done_fn *done)
{
	job->task->deadline_ns = pl_now_ns() + (request->upstream != NULL ? request->upstream->total_timeout + 1000 : 600000) *
	    PL_NS_PER_MS;
	shm_count(job->sessions->svc->shm, SHM_M_llm_started, 1);
	job->end.upstream = pl_str(job->config->s.llm_default);
	job->call = llm_ask(job->sessions->svc->llm, job->task, request, delta, done, job);
}

static void on_history(void *arg, const struct session_history *history, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct llm_request request = { .config = job->config, .temperature = (double)NAN };
	struct llm_result nothing = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1, .model = PL_STR("none") };
	struct llm_message *messages;
	struct pl_err gone = { 0 };

	if (err == NULL && !upstream_of(job->config, &request.upstream)) {
		pl_err_set(&gone, PL_E_UPSTREAM, "The default upstream is not configured.");
		err = &gone;
	}
	if (err == NULL && job->sessions->stopping) {
		job->cut = true;
		pl_err_set(&gone, PL_E_STOPPING, NULL);
		err = &gone;
	}
	if (err != NULL) {
		shm_count(job->sessions->svc->shm, SHM_M_llm_started, 1);
		on_answered(job, &nothing, err);
		return;
	}
	messages = pl_alloc(job->task->pool, ((size_t)history->count + 1) * sizeof(*messages));
	request.messages = messages;
	request.messages_count = gather(job, history, messages);
	request.system = pl_str(pl_sprintf(job->task->pool, "You are the assistant of %s. Answer briefly and to the point.%s%s%s%.*s",
	    job->config->s.server_name, job->form != NULL ? " Beside your answers a form is filled in (" : "",
	    job->form != NULL ? job->form->title : "", job->form != NULL ? "); others ask for its values, you do not." : "",
	    PL_FMT(job->found.prompt)));
	request.passages = job->found.passages;
	request.passages_count = job->found.count;
	ask(job, &request, on_delta, on_answered);
}

/* ---- the message is stored ---- */

static void on_found(void *arg, const struct knowledge_found *found)
{
	struct session_job *job = arg;

	job->found = *found;
	repo_session_history(job->sessions->svc->db, job->task, pl_str(job->id), job->question,
	    (int)job->config->s.llm_history, on_history, job);
}

static void on_said(void *arg, const int64_t *seq, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct shm_gen_info info = { .asker_id = job->user_id, .state = SHM_GEN_RUNNING };
	struct pl_err busy = { 0 };

	if (err != NULL) {
		give_up(job, err);
		return;
	}
	job->question = info.reply_to_seq = *seq;
	session_live_changed(job->sessions->svc, pl_str(job->id));
	if (job->form != NULL && job->form_text.len > 0 && !job->step.question) {
		add_form_text(job);
		session_job_store(job);
		return;
	}
	memcpy(info.id, job->id, sizeof(info.id));
	job->index = shm_gen_take(job->sessions->svc->shm, &info);
	if (job->index < 0) {
		pl_err_set(&busy, PL_E_BUSY, NULL);
		job->err = busy;
		job->end.state = SESSION_FAILED;
		session_job_store(job);
		return;
	}
	knowledge_find(job->sessions->svc, job->config, job->task, job->masked, on_found, job);
}

static void talk_say(struct session_job *job)
{
	job->masked = job->message;
	if (job->form != NULL) {
		form_finish(job->form, &job->state, &job->step);
		job->form_text = form_reply(job->form, job->task->pool, &job->state, &job->step);
		job->masked = form_mask(job->form, job->task->pool, &job->state, &job->step, job->message);
	}
	repo_session_say(job->sessions->svc->db, job->task, pl_str(job->id), job->masked, job->config->s.session_life, on_said, job);
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
	if (err != NULL || !form_take_model(job->form, job->task->pool, pl_buf_str(&job->extracted), job->message, &job->step))
		pl_log(PL_LOG_INFO, job->task, "form goes on with its patterns", "session=%.8s error=%s", job->id,
		    err != NULL ? pl_err_info(err->code)->code : "no JSON");
	talk_say(job);
}

static void talk_extract(struct session_job *job, const struct upstream_settings *upstream)
{
	struct llm_message message = { .from = LLM_USER, .text = job->message };
	struct llm_request request = { .config = job->config, .upstream = upstream, .temperature = 0, .messages = &message,
		.messages_count = 1, .system = form_prompt(job->form, job->task->pool, &job->state) };

	ask(job, &request, on_extract_delta, on_extracted);
}

static void read_state(struct session_job *job, const struct session *session)
{
	job->state.requested = session->requested.ptr != NULL ? form_slot_find(job->form, session->requested) : -1;
	for (int i = 0; i < session->slots_count; i++) {
		int slot = form_slot_find(job->form, session->slots[i].name);

		if (slot < 0)
			continue;
		job->state.filled[slot] = session->slots[i].collected;
		job->state.tries[slot] = session->slots[i].tries;
	}
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
	job->form = session->form.ptr != NULL ? forms_find(session->form) : NULL;
	job->end.is_complete = session->is_complete;
	if (job->form == NULL) {
		talk_say(job);
		return;
	}
	read_state(job, session);
	form_take(job->form, job->task->pool, &job->state, job->message, &job->step);
	if ((form_next(job->form, job->state.filled) >= 0 || form_has_word(job->message, &job->form->correct)) &&
	    upstream_of(config, &upstream) && upstream != NULL && !svc->sessions->stopping)
		talk_extract(job, upstream);
	else
		talk_say(job);
}

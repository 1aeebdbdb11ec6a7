/* SPDX-License-Identifier: ISC */
/*
 * The answer to a message of a chat session, as operations of the engine (svc/answer/answer.h): context -> asked ->
 * delta* -> answered -> store; then the client gets the answer. The form's text follows the model's. Without a model,
 * the form answers alone.
 */
#include <ctype.h>
#include <math.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "json.h"
#include "log.h"
#include "svc/session/session_job.h"
#include "svc/session/session_live.h"

#define BETWEEN "\n\n"		/* between the model's text and the form's */
#define CANNOT_ANSWER "I cannot answer that right now."

/* ---- reports to the client ---- */

static struct pl_str collected(struct session_job *job)
{
	struct pl_buf buf = PL_BUF(job->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	for (int i = 0; job->form != NULL && i < job->form->count; i++)
		pl_jw_kbool(&w, job->form->slots[i].name, form_has(&job->state, &job->step, i));
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

void session_job_tell(struct session_job *job, const struct pl_err *err)
{
	struct session_reply reply = { .session_id = pl_str(job->id), .text = pl_buf_str(&job->answer->text),
		.is_complete = job->is_complete, .citations = job->end.citations,
		.knowledge = job->answer->knowledge, .stopped = job->answer->outcome == ANSWER_STOPPED,
		.mailed = job->mails };
	struct pl_task *asker = job->asker;

	if (asker == NULL)
		return;
	job->asker = NULL;
	reply.collected = collected(job);
	if (!pl_str_is(job->end.model, "none"))
		reply.model = job->end.model;
	if (job->stop != NULL || job->extracting)
		reply.usage = answer_usage(job->task->pool, job->end.prompt_tokens, job->end.completion_tokens,
		    job->end.estimated, job->stop);
	reply.reasoning = job->end.reasoning;
	job->done(job->arg, err == NULL ? &reply : NULL, err);
	pl_task_release(&asker);
}

static void session_delta(struct answer *answer, struct pl_str text)
{
	struct session_job *job = answer->owner;

	if (job->asker != NULL && job->delta != NULL)
		job->delta(job->arg, text);
}

/* ---- the question ---- */

static int to_messages(const struct session_job *job, const struct session_history *history, struct llm_message *out)
{
	for (int i = 0; i < history->count; i++)
		out[i] = (struct llm_message){ .text = history->rows[i].content,
			.from = history->rows[i].author == SESSION_USER ? LLM_USER : LLM_ASSISTANT };
	return answer_fit(job->task->pool, out, history->count, job->config->s.llm_context);
}

/* Adds what the form has collected, for the built-in responder. Sensitive values are masked. */
static void add_facts(struct session_job *job, struct llm_request *ask)
{
	const struct form *form = job->form;
	struct llm_fact *facts;

	if (form == NULL)
		return;
	facts = pl_alloc(job->task->pool, (size_t)form->count * sizeof(*facts));
	for (int i = 0; i < form->count; i++) {
		const struct form_slot *slot = &form->slots[i];
		bool known = form_has(&job->state, &job->step, i);

		struct pl_str value = job->step.value[i];

		facts[i] = (struct llm_fact){ .name = pl_str(slot->name), .label = pl_str(slot->s->label),
			.why = pl_str(slot->s->why), .noted = known, .sensitive = slot->s->sensitive };
		if (value.ptr == NULL)
			value = slot->s->sensitive ? job->state.secret[i] : job->values[i];
		facts[i].taken = job->step.pending == i ? job->step.pending_raw :
		    job->step.raw[i].ptr != NULL ? job->step.raw[i] : value;
		if (known && value.ptr != NULL)
			facts[i].value = slot->s->sensitive ? form_shown(slot, job->task->pool, value) : value;
	}
	ask->facts = facts;
	ask->facts_count = form->count;
	ask->fact_asked = job->step.requested;
	ask->form_title = pl_str(form->title);
}

static void on_history(void *arg, const struct session_history *history, const struct pl_err *err)
{
	struct session_job *job = arg;
	struct answer *answer = job->answer;
	struct llm_message *messages;
	struct pl_err gone = { 0 };

	answer->ask = (struct llm_request){ .config = job->config, .temperature = (double)NAN };
	if (err == NULL && !answer_upstream(job->config, PL_STR_NONE, &answer->ask.upstream)) {
		pl_err_set(&gone, PL_E_UPSTREAM, "The default upstream is not configured.");
		err = &gone;
	}
	if (err != NULL) {
		answer_fail(answer, err);
		return;
	}
	messages = pl_alloc(job->task->pool, ((size_t)history->count + 1) * sizeof(*messages));
	answer->ask.messages = messages;
	answer->ask.messages_count = to_messages(job, history, messages);
	answer->ask.system =
	    pl_str(pl_sprintf(job->task->pool, "You are the assistant of %s. Answer briefly and to the point.%s%s%s",
	    job->config->s.server_name, job->form != NULL ? " Beside your answers a form is filled in (" : "",
	    job->form != NULL ? job->form->title : "", job->form != NULL ? "); others ask for its values, you do not." :
	    ""));
	answer->search = job->masked;
	add_facts(job, &answer->ask);
	answer->ask.person_asks = job->user_id != 0 && job->config->s.person_channel != PERSON_NONE;
	job->form_quiet = session_ask_later(job, history);
	if (answer->ask.upstream == NULL && llm_local_wants_person(job->masked))
		session_person(job);
	else if (answer->ask.upstream == NULL && job->user_id != 0 &&
	    llm_local_person_waits(messages, answer->ask.messages_count))
		session_person_check(job);
	else
		answer_ready(answer);
}

static void session_context(struct answer *answer)
{
	struct session_job *job = answer->owner;

	repo_session_history(job->sessions->svc->db, job->task, pl_str(job->id), job->question,
	    (int)job->config->s.llm_history, ANSWER_CONTEXT_READ, on_history, job);
}

static void session_asked(struct answer *answer)
{
	struct session_job *job = answer->owner;

	job->end.upstream = pl_str(job->config->s.llm_default);
}

/* ---- the end of the text ---- */

/* The form's text follows the model's. */
static void add_form_text(struct session_job *job)
{
	if (job->form_text.len == 0 || (job->form_quiet && job->answer->text.len > 0))
		return;
	if (job->answer->text.len > 0)
		answer_say(job->answer, PL_STR(BETWEEN));
	answer_say(job->answer, job->form_text);
}

static void session_answered(struct answer *answer, const struct llm_result *result, const struct pl_err *err)
{
	struct session_job *job = answer->owner;
	bool failed = answer->outcome == ANSWER_FAILED, cut = answer->outcome == ANSWER_CUT;

	job->end.model = result != NULL ? pl_str_dup(job->task->pool, result->model) : PL_STR("none");
	if (result != NULL) {
		job->end.prompt_tokens = result->prompt_tokens;
		job->end.completion_tokens = result->completion_tokens;
		job->end.cost_micros = result->cost_micros;
		if (result->estimated && result->completion_tokens >= 0)
			job->end.estimated = true;
		job->end.reasoning = pl_str_dup(job->task->pool, result->reasoning);
	}
	job->end.citations = answer->citations;
	job->stop = answer->outcome == ANSWER_STOPPED ? "cancelled" : answer->full ? "length" :
	    answer->outcome == ANSWER_WHOLE && result != NULL ? llm_stop_text(result->stop) : NULL;
	shm_count(job->sessions->svc->shm, answer->outcome == ANSWER_WHOLE ? SHM_M_llm_done : SHM_M_llm_failed, 1);
	if (failed || cut) {
		if (err != NULL)
			job->err = *err;
		if (cut)
			pl_err_set(&job->err, PL_E_STOPPING, NULL);
		pl_log(PL_LOG_WARN, job->task, "answer in a session failed", "session=%.8s error=%s detail=%s", job->id,
		    pl_err_info(job->err.code)->code, pl_err_text(&job->err));
	}
	if (failed && job->form_text.len > 0 && answer->text.len == 0) {
		/* the form continues without the model */
		answer_say(answer, PL_STR(CANNOT_ANSWER));
		job->form_quiet = false;
		job->err = (struct pl_err){ 0 };
	}
	if (!cut)
		add_form_text(job);
}

/* ---- storing ---- */

static void on_stored(void *arg, const struct session_answered *answered, const struct pl_err *err)
{
	struct session_job *job = arg;
	bool stopping = err != NULL && err->code == PL_E_STOPPING; /* another worker stores it */

	if (err == NULL) {
		if (answered->session.ptr != NULL)
			session_live_changed(job->sessions->svc, answered->session);
		if (job->end.upstream.ptr != NULL)
			shm_upstream_cost(job->sessions->svc->shm, job->end.upstream, answered->cost_micros);
		session_job_tell(job, job->err.code != PL_E_OK ? &job->err : NULL);
		answer_stored(job->answer);
		return;
	}
	session_job_tell(job, err);
	if (!stopping && answer_again(job->answer, err))
		return;
	pl_log(PL_LOG_WARN, job->task, "answer in a session not stored", "session=%.8s error=%s", job->id,
	    pl_err_info(err->code)->code);
	if (!stopping)
		answer_refused(job->answer);
}

static void session_waits(struct answer *answer, const struct pl_err *err)
{
	struct session_job *job = answer->owner;

	pl_log(PL_LOG_WARN, job->task, "end of an answer has to wait", "session=%.8s error=%s", job->id,
	    pl_err_info(err->code)->code);
}

/* The tokens and the cost of the form's question are part of the answer's. */
static void add_extraction(struct session_job *job)
{
	struct session_answer *end = &job->end;
	bool alone = end->model.ptr == NULL;		/* the form answered alone */

	if (!job->extracting)
		return;
	if (job->extract_prompt > 0)
		end->prompt_tokens = job->extract_prompt + (end->prompt_tokens > 0 ? end->prompt_tokens : 0);
	if (job->extract_completion > 0)
		end->completion_tokens = job->extract_completion +
		    (end->completion_tokens > 0 ? end->completion_tokens : 0);
	if (alone)
		end->model = job->extract_model;
	/* if one of the two costs is unknown, the price table charges both */
	if (alone || end->cost_micros < 0 || job->extract_cost < 0)
		end->cost_micros = alone ? job->extract_cost : -1;
	else
		end->cost_micros += job->extract_cost;
}

static void session_store(struct answer *answer)
{
	static const enum session_outcome outcomes[] = { [ANSWER_WHOLE] = SESSION_DONE,
		[ANSWER_FAILED] = SESSION_FAILED, [ANSWER_STOPPED] = SESSION_CANCELLED,
		[ANSWER_CUT] = SESSION_INTERRUPTED };
	struct session_job *job = answer->owner;

	if (job->end.id.ptr == NULL) { /* the first time */
		job->end.id = pl_str(job->question > 0 ? job->id : answer->id);
		job->end.question = job->question;
		job->end.content = pl_buf_str(&answer->text);
		job->end.state = outcomes[answer->outcome];
		add_extraction(job);
	}
	repo_session_answer(job->sessions->svc->db, job->task, &job->end, on_stored, job);
}

/* ---- creation and end ---- */

void session_job_place(struct session_job *job)
{
	struct shm_gen_info info = { .asker_id = job->user_id, .state = SHM_GEN_RUNNING };

	memcpy(info.session, job->id, sizeof(info.session));
	for (char *c = info.session; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	if (job->answer->index < 0)
		(void)answer_place(job->answer, &info);
}

/* Stops the form's question to a model, because its answer is no longer required. */
static void session_ends(struct answer *answer)
{
	struct session_job *job = answer->owner;

	if (job->extraction != NULL)
		answer_stop(job->extraction);
}

static void session_abandoned(struct answer *answer)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, PL_E_STOPPING, NULL);
	session_job_tell(answer->owner, &err);
}

static void session_free(struct answer *answer)
{
	struct session_job *job = answer->owner;
	struct sessions *sessions = job->sessions;

	PL_BUG(job->asker != NULL);
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		sessions->jobs = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	if (job->turn != NULL)
		event_free(job->turn);
	form_release(&job->form);
	session_turn_over(sessions, job->id);
}

/* Of an adopted answer, only the token of its message is known, which is sufficient. */
static void session_adopted(struct answer *answer)
{
	answer_settle(answer, ANSWER_CUT);
}

static const struct answer_ops session_ops = { .stores_empty = true, .context = session_context,
	.asked = session_asked, .delta = session_delta, .answered = session_answered, .store = session_store,
	.ends = session_ends, .adopt = session_adopted, .waits = session_waits,
	.abandoned = session_abandoned, .free = session_free };

struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id)
{
	struct answer *answer = answer_new(sessions->svc->answers, config, &session_ops, NULL);
	struct session_job *job = pl_alloc(answer->task->pool, sizeof(*job));

	*job = (struct session_job){ .sessions = sessions, .answer = answer, .config = answer->config,
		.task = answer->task, .next = sessions->jobs, .state = { .requested = -1 },
		.end = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1 } };
	memcpy(job->id, id, sizeof(job->id));
	answer->owner = job;
	if (sessions->jobs != NULL)
		sessions->jobs->prev = job;
	sessions->jobs = job;
	return job;
}

/* Returns whether the form answers alone. */
static bool form_alone(const struct session_job *job)
{
	return job->form != NULL && job->form_text.len > 0 && !job->step.question;
}

/* Limits the model's text so that the form's text fits. */
static void leave_room(struct session_job *job)
{
	size_t form_bytes = job->form_text.len > 0 ? job->form_text.len + sizeof(BETWEEN) - 1 : 0;

	job->answer->text_max -= form_bytes < job->answer->text_max ? form_bytes : job->answer->text_max;
}

void session_job_answer(struct session_job *job)
{
	bool stopping = answers_stopping(job->answer->answers);
	struct pl_err busy = { 0 };

	if (form_alone(job)) {
		add_form_text(job);
		answer_settle(job->answer, ANSWER_WHOLE);
	} else if (stopping) {
		pl_err_set(&job->err, PL_E_STOPPING, NULL);
		answer_settle(job->answer, ANSWER_CUT);
	} else if (job->answer->index < 0) {
		/* the form continues: its text is not lost with the model's */
		pl_err_set(&busy, PL_E_BUSY, NULL);
		answer_fail(job->answer, &busy);
	} else {
		leave_room(job);
		answer_begin(job->answer);
	}
}

void session_job_give_up(struct session_job *job, const struct pl_err *err)
{
	session_job_tell(job, err);
	answer_drop(job->answer);
}

void session_job_withdraw(struct session_job *job, const struct pl_err *err)
{
	session_job_tell(job, err);
	answer_settle(job->answer, ANSWER_FAILED);
}

void session_adopt(struct svc *svc, const struct shm_gen_info *info, struct pl_str text)
{
	struct session_job *job = session_job_new(svc->sessions, svc_config(svc), info->id);

	job->end.upstream = pl_str(job->config->s.llm_default);
	pl_log(PL_LOG_WARN, job->task, "an answer was interrupted by the death of its worker", "question=%s", info->id);
	answer_adopt(job->answer, info, text);
}

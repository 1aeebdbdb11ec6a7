/* SPDX-License-Identifier: ISC */
/*
 * Asks a model which values of the form are in the message. It uses the same engine as answers, without a place in
 * shared memory and without storage; its tokens are stored with the answer.
 */
#include "log.h"
#include "svc/session/session_job.h"

#define EXTRACT_MAX_BYTES 8192

/* Allocated in the pool of its answer. */
struct extract { struct session_job *job; void (*done)(struct session_job *job); };

static void extract_answered(struct answer *answer, const struct llm_result *result, const struct pl_err *err)
{
	struct extract *extract = answer->owner;
	struct session_job *job = extract->job;

	shm_count(job->sessions->svc->shm, err == NULL ? SHM_M_llm_done : SHM_M_llm_failed, 1);
	job->extracting = true;
	job->extracted = pl_str_dup(job->task->pool, pl_buf_str(&answer->text));
	job->extract_cost = -1;
	job->extract_model = PL_STR("none");
	if (result != NULL) {
		if (result->prompt_tokens > 0)
			job->extract_prompt = result->prompt_tokens;
		if (result->completion_tokens > 0)
			job->extract_completion = result->completion_tokens;
		job->end.estimated = result->estimated && result->completion_tokens >= 0;
		job->extract_cost = result->cost_micros;
		job->extract_model = pl_str_dup(job->task->pool, result->model);
		job->end.upstream = pl_str(job->config->s.llm_default);
	}
	/* without a model, or if its answer is invalid, the values of the reader remain */
	if (err != NULL || !form_take_model(job->form, job->task->pool, &job->state, job->extracted,
	    job->message, &job->step))
		pl_log(PL_LOG_INFO, job->task, "form goes on without a model", "session=%.8s error=%s", job->id,
		    err != NULL ? pl_err_info(err->code)->code : "no JSON");
}

static void extract_over(struct answer *answer)
{
	struct extract *extract = answer->owner;

	extract->job->extraction = NULL;
	extract->done(extract->job);
}

static const struct answer_ops extract_ops = { .answered = extract_answered, .over = extract_over };

static const struct upstream_settings *reader(const struct session_job *job)
{
	const struct upstream_settings *upstream = NULL;

	return answer_upstream(job->config, PL_STR_NONE, &upstream) ? upstream : NULL;
}

bool session_extract_wanted(const struct session_job *job)
{
	const struct form_step *step = &job->step;

	if (reader(job) == NULL || step->cancelled || step->clears || step->confirmed || step->denied ||
	    job->answer->ending != ANSWER_GOES_ON || answers_stopping(job->answer->answers))
		return false;
	return form_has_word(job->message, &job->form->correct) ||
	    (job->state.over == FORM_GOES_ON && form_next(job->form, &job->state) >= 0);
}

bool session_extract(struct session_job *job, void (*done)(struct session_job *job))
{
	struct llm_message *message;
	struct extract *extract;
	struct answer *answer;

	if (!session_extract_wanted(job))
		return false;
	answer = answer_new(job->sessions->svc->answers, job->config, &extract_ops, NULL);
	extract = pl_alloc(answer->task->pool, sizeof(*extract));
	*extract = (struct extract){ .job = job, .done = done };
	message = pl_alloc(answer->task->pool, sizeof(*message));
	*message = (struct llm_message){ .from = LLM_USER, .text = job->message };
	memcpy(answer->task->request_id, job->task->request_id, sizeof(answer->task->request_id));
	answer->task->who = job->task->who;
	answer->owner = extract;
	answer->user_id = job->user_id;
	answer->text_max = EXTRACT_MAX_BYTES;
	answer->ask = (struct llm_request){ .config = answer->config, .upstream = reader(job), .temperature = 0,
		.messages = message, .messages_count = 1, .system = form_prompt(job->form, answer->task->pool,
		&job->state) };
	job->extraction = answer;
	answer_begin(answer);
	return true;
}

/* SPDX-License-Identifier: ISC */
/*
 * The end of an answer: its outcome, storing the text, recording the end, and repeating what the database cannot do
 * now. If an answer were dropped while its row says that it runs, its place would be busy indefinitely.
 */
#include "clock.h"
#include "svc/answer/answer_int.h"

#define STEP_S 30

static void step_time(struct answer *answer)
{
	answer->task->deadline_ns = pl_now_ns() + STEP_S * PL_NS_PER_S;
}

void answer_do_adopt(struct answer *answer)
{
	step_time(answer);
	answer->ops->adopt(answer);
}

static enum answer_outcome outcome_of(const struct answer *answer, const struct pl_err *err)
{
	if (answer->ending == ANSWER_TO_STOP)
		return ANSWER_STOPPED;
	if (answer->ending == ANSWER_TO_CUT)
		return ANSWER_CUT;
	return answer->full || err == NULL ? ANSWER_WHOLE : ANSWER_FAILED;
}

void answer_do_finish(struct answer *answer)
{
	struct answer_run *run = answer->run;
	const struct llm_result *result = run->result;
	const struct pl_err *err = run->err;

	run->result = NULL;
	run->err = NULL;
	evtimer_del(run->timer);
	answer->outcome = outcome_of(answer, err);
	answer->citations = knowledge_cite(answer->task->pool, &run->found, pl_buf_str(&answer->text));
	answer->knowledge = knowledge_lack(&run->found);
	if (answer->ops->answered != NULL)
		answer->ops->answered(answer, result, err);
	answer_do_store(answer);
}

void answer_do_store(struct answer *answer)
{
	step_time(answer);
	if (answer->ops->store != NULL && (answer->text.len > 0 || answer->ops->stores_empty))
		answer->ops->store(answer);
	else
		answer_move(answer, ANSWER_EV_STORED);
}

void answer_do_end(struct answer *answer)
{
	step_time(answer);
	if (answer->ops->end != NULL)
		answer->ops->end(answer);
	else
		answer_move(answer, ANSWER_EV_ENDED);
}

bool answer_again(struct answer *answer, const struct pl_err *err)
{
	if (!pl_err_info(err->code)->temporary)
		return false;
	if (!answer->retried && answer->ops->waits != NULL)
		answer->ops->waits(answer, err);
	answer->retried = true;
	answer_move(answer, ANSWER_EV_BUSY);
	return true;
}

void answer_do_pause(struct answer *answer)
{
	answer_arm(answer, answer->answers->env->retry_ms);
}

void answer_do_over(struct answer *answer)
{
	if (answer->ops->over != NULL)
		answer->ops->over(answer);
	answer->answers->running--;
	if (answer->index >= 0)
		shm_gen_state(answer->answers->svc->shm, answer->index, SHM_GEN_ENDED);
	if (answer->ops->linger_s > 0)
		answer_arm(answer, answer->ops->linger_s * 1000);
	else
		answer_free(answer);
}

void answer_do_drop(struct answer *answer)
{
	answer->answers->running--;
	answer_free(answer);
}

void answer_do_free(struct answer *answer)
{
	answer_free(answer);
}

void answer_do_nothing(struct answer *answer)
{
	PL_UNUSED(answer);
}

/* SPDX-License-Identifier: ISC */
/* All answers of this process: creating, freeing, stopping, and adopting them, and the functions of answer.h. */
#include "clock.h"
#include "leaf.h"
#include "svc/answer/answer_int.h"

#define TASK_S 600

static const struct answer_env real_env = { .ask = llm_ask, .cancel = llm_cancel, .empty = knowledge_empty,
	.search = knowledge_find, .key = provider_key_find, .retry_ms = 1000 };

struct answers *answers_new(struct svc *svc)
{
	struct answers *answers = pl_new(sizeof(*answers));

	answers->svc = svc;
	answers->env = &real_env;
	return answers;
}

void answers_free(struct answers **answers_at)
{
	struct answers *answers = *answers_at;

	*answers_at = NULL;
	if (answers == NULL)
		return;
	while (answers->list != NULL) {
		struct answer *answer = answers->list;

		if (answer->state != ANSWER_OVER) {
			answer->index = -1;
			if (answer->ops->abandoned != NULL)
				answer->ops->abandoned(answer);
		}
		answer_free(answer);
	}
	pl_free(answers);
}

int answers_running(const struct answers *answers)
{
	return answers->running;
}

bool answers_stopping(const struct answers *answers)
{
	return answers->stopping;
}

void answers_turn(void *arg)
{
	struct answers *answers = arg;

	for (struct answer *a = answers->list; a != NULL; a = a->next)
		if (a->index >= 0 && shm_gen_cancelled(answers->svc->shm, a->index))
			answer_move(a, ANSWER_EV_STOP);
}

void answers_cut(struct answers *answers)
{
	answers->stopping = true;
	for (struct answer *a = answers->list; a != NULL; a = a->next)
		answer_move(a, ANSWER_EV_CUT);
}

void answers_close(struct answers *answers)
{
	answers->closed = true;
}

void answers_on_orphan(struct answers *answers, enum answer_kind kind, answer_adopt_fn *fn)
{
	answers->orphan[kind] = fn;
}

static void adopt_one(void *arg, const struct shm_gen_info *info, struct pl_str text)
{
	struct answers *answers = arg;
	enum answer_kind kind = info->room_id == 0 ? ANSWER_IN_SESSION : ANSWER_IN_ROOM;

	if (info->state != SHM_GEN_ENDED)
		answers->orphan[kind](answers->svc, info, text);
}

void answers_adopt(struct answers *answers)
{
	shm_gen_orphans(answers->svc->shm, adopt_one, answers);
}

/* ---- one answer ---- */

static void answer_on_timer(evutil_socket_t fd, short what, void *arg)
{
	answer_move(arg, ANSWER_EV_TIMER);
}

void answer_arm(struct answer *answer, int64_t ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000 * 1000) };

	PL_BUG(evtimer_add(answer->run->timer, &tv) != 0);
}

struct answer *answer_new(struct answers *answers, const struct config *config, const struct answer_ops *ops,
    void *owner)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + TASK_S * PL_NS_PER_S);
	struct answer *answer = pl_alloc(task->pool, sizeof(*answer));

	*answer = (struct answer){ .answers = answers, .ops = ops, .owner = owner, .task = task,
		.config = config_keep(task->pool, config), .index = -1, .text_max = (size_t)config->s.max_answer,
		.next = answers->list };
	answer->run = pl_alloc(task->pool, sizeof(*answer->run));
	answer->run->timer = evtimer_new(answers->svc->worker->base, answer_on_timer, answer);
	PL_BUG(answer->run->timer == NULL);
	pl_uuid_make(answer->id);
	if (answers->list != NULL)
		answers->list->prev = answer;
	answers->list = answer;
	answers->running++;
	return answer;
}

void answer_free(struct answer *answer)
{
	struct answers *answers = answer->answers;
	struct pl_task *task = answer->task;

	if (answer->index >= 0)
		shm_gen_free(answers->svc->shm, answer->index, answer->id);
	if (answer->prev != NULL)
		answer->prev->next = answer->next;
	else
		answers->list = answer->next;
	if (answer->next != NULL)
		answer->next->prev = answer->prev;
	if (answer->state != ANSWER_OVER)
		answers->running--;
	event_free(answer->run->timer);
	if (answer->ops->free != NULL)
		answer->ops->free(answer);
	pl_buf_fini(&answer->text);
	pl_task_release(&task);
}

bool answer_place(struct answer *answer, const struct shm_gen_info *info)
{
	struct shm_gen_info place = *info;

	memcpy(place.id, answer->id, sizeof(place.id));
	answer->index = shm_gen_take(answer->answers->svc->shm, &place);
	return answer->index >= 0;
}

bool answer_limit_take(struct answer *answer, const struct pl_caller *who, struct pl_str extra, struct pl_err *err)
{
	struct answer_run *run = answer->run;

	run->limit_who = *who;
	run->limit_extra = pl_str_dup(answer->task->pool, extra);
	return limits_take(answer->answers->svc, answer->config, LIMIT_ASK, who, run->limit_extra, NULL, err);
}

void answer_limit_give(struct answer *answer)
{
	limits_give(answer->answers->svc, answer->config, LIMIT_ASK, &answer->run->limit_who, answer->run->limit_extra);
}

void answer_begin(struct answer *answer)
{
	shm_count(answer->answers->svc->shm, SHM_M_llm_started, 1);
	answer_move(answer, ANSWER_EV_BEGUN);
}

void answer_stop(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_STOP);
}

void answer_drop(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_DROPPED);
}

/* Makes an orphan a cut answer of this worker. If this worker dies as well, the next one finds it. */
void answer_adopt(struct answer *answer, const struct shm_gen_info *info, struct pl_str text)
{
	answer->adopted = true;
	answer->ending = ANSWER_TO_CUT;
	memcpy(answer->id, info->id, sizeof(answer->id));
	pl_buf_add(&answer->text, text.ptr, text.len);
	answer->index = info->index;
	answer->run->shared = text.len;
	shm_gen_adopt(answer->answers->svc->shm, info->index);
	answer_move(answer, ANSWER_EV_ADOPTED);
}

void answer_settle(struct answer *answer, enum answer_outcome outcome)
{
	answer->outcome = outcome;
	answer_move(answer, ANSWER_EV_SETTLED);
}

void answer_ready(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_READY);
}

void answer_fail(struct answer *answer, const struct pl_err *err)
{
	answer->run->err = err;
	answer_move(answer, ANSWER_EV_FAILED);
}

void answer_stored(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_STORED);
}

void answer_refused(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_REFUSED);
}

void answer_ended(struct answer *answer)
{
	answer_move(answer, ANSWER_EV_ENDED);
}

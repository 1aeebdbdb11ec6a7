/* SPDX-License-Identifier: ISC */
/*
 * Sends a question to a model for translation. It uses the same engine as answers, without a place in shared memory.
 * The question continues as soon as the model has replied; the usage is recorded meanwhile.
 */
#include <event2/event.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "db/repo/repo_query.h"
#include "log.h"
#include "svc/answer/answer.h"
#include "svc/usage/intent.h"
#include "svc/usage/memo.h"
#include "svc/usage/query.h"

#define REPLY_MAX_BYTES 8192
#define REPLY_MAX_TOKENS 1000

/* Allocated in the pool of its answer. */
struct translation {
	struct svc *svc;
	struct answer *answer;
	struct pl_task *asker;		/* NULL: it has the result */
	struct pl_cancel gone;		/* fires when the question's task is canceled */
	struct event *timer;
	bool late, asked;		/* asked: a request was sent to the model, and its usage is recorded */
	struct query_translation used;
	query_translate_fn *done;
	void *arg;
};

bool query_translates(const struct svc *svc, const struct config *config, const struct pl_task *task)
{
	return task->who.user_id != 0 && config->s.query_upstream[0] != '\0' && !answers_stopping(svc->answers);
}

static const char *reason(const struct translation *t, const struct pl_err *err)
{
	if (t->late)
		return "it did not reply in time";
	if (t->answer->full)
		return "its reply is too long";
	return err == NULL ? NULL : err->code == PL_E_UNAVAILABLE ? "it is unavailable" : "it failed";
}

static void tell(struct translation *t, struct pl_str text, const char *why, const struct pl_err *err)
{
	struct pl_task *asker = t->asker;

	if (asker == NULL)
		return;
	evtimer_del(t->timer);
	t->asker = NULL;
	pl_task_unhook(asker, &t->gone);
	t->done(t->arg, text, why, err);
	pl_task_release(&asker);
}

static void translation_answered(struct answer *answer, const struct llm_result *result, const struct pl_err *err)
{
	struct translation *t = answer->owner;
	const char *why = reason(t, err);
	bool left = why != NULL && answer->outcome == ANSWER_STOPPED && !t->late && t->asker != NULL &&
	    t->asker->cancelled;
	struct pl_err gone = { 0 };

	pl_err_set(&gone, PL_E_CANCELLED, NULL);
	shm_count(t->svc->shm, why == NULL ? SHM_M_llm_done : left ? SHM_M_llm_cancelled : SHM_M_llm_failed, 1);
	t->asked = result != NULL;
	if (result != NULL)
		t->used = (struct query_translation){ .id = pl_str(answer->id), .user_id = answer->user_id,
			.upstream = pl_str(answer->ask.upstream->name),
			.model = pl_str_dup(answer->task->pool, result->model), .prompt = result->prompt_tokens,
			.completion = result->completion_tokens, .told = result->cost_micros,
			.state = why == NULL ? "done" : left ? "cancelled" : "failed" };
	if (why != NULL)
		pl_log(PL_LOG_INFO, answer->task, "question not translated", "reason=%s error=%s", why,
		    err != NULL ? pl_err_info(err->code)->code : "none");
	tell(t, why == NULL ? pl_buf_str(&answer->text) : PL_STR_NONE, why, left ? &gone : NULL);
}

static void on_recorded(void *arg, const int64_t *cost_micros, const struct pl_err *err)
{
	struct translation *t = arg;

	if (err != NULL && answer_again(t->answer, err))
		return;
	if (err != NULL)
		pl_log(PL_LOG_WARN, t->answer->task, "use of a model not recorded", "translation=%s error=%s",
		    t->answer->id, pl_err_info(err->code)->code);
	else
		shm_upstream_cost(t->svc->shm, t->used.upstream, *cost_micros);
	answer_ended(t->answer);
}

static void translation_end(struct answer *answer)
{
	struct translation *t = answer->owner;

	if (t->asked)
		repo_query_translated(t->svc->db, answer->task, &t->used, on_recorded, t);
	else
		answer_ended(answer);
}

static void translation_abandoned(struct answer *answer)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, PL_E_STOPPING, NULL);
	tell(answer->owner, PL_STR_NONE, NULL, &err);
}

static void translation_free(struct answer *answer)
{
	struct translation *t = answer->owner;

	event_free(t->timer);
}

static const struct answer_ops translation_ops = { .answered = translation_answered, .end = translation_end,
	.abandoned = translation_abandoned, .free = translation_free };

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct translation *t = arg;

	t->late = true;
	tell(t, PL_STR_NONE, reason(t, NULL), NULL);	/* in any state, because reading the key may take long, too */
	answer_stop(t->answer);
}

static void on_gone(void *arg)
{
	struct translation *t = arg;

	answer_stop(t->answer);
}

/* ---- cache ---- */

static struct pl_str kept_key(const struct config *config, struct pl_pool *pool, struct pl_str question)
{
	const struct upstream_settings *upstream = config_upstream(config, pl_str(config->s.query_upstream));

	return pl_str(pl_sprintf(pool, "%s\n%s\n%s\n%.*s", config->s.query_upstream,
	    upstream != NULL ? upstream->url : "", upstream != NULL ? upstream->model : "", PL_FMT(question)));
}

struct pl_str query_translation_kept(struct svc *svc, const struct config *config, struct pl_pool *pool,
    struct pl_str question)
{
	struct pl_str key = kept_key(config, pool, question);

	return svc->translations != NULL ? pl_str_dup(pool, memo_find(svc->translations, key)) : PL_STR_NONE;
}

void query_translation_keep(struct svc *svc, const struct config *config, struct pl_pool *pool, struct pl_str question,
    struct pl_str text)
{
	if (svc->translations != NULL)
		memo_keep(svc->translations, kept_key(config, pool, question), text);
}

void query_translate(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
    query_translate_fn *done, void *arg)
{
	int64_t ms = config->s.query_translation_timeout;
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000 * 1000) };
	struct answer *answer = answer_new(svc->answers, config, &translation_ops, NULL);
	struct pl_pool *pool = answer->task->pool;
	struct llm_message *message = pl_alloc(pool, sizeof(*message));
	struct translation *t = pl_alloc(pool, sizeof(*t));

	*t = (struct translation){ .svc = svc, .answer = answer, .asker = pl_task_hold(task),
		.done = done, .arg = arg };
	t->timer = evtimer_new(svc->worker->base, on_late, t);
	PL_BUG(t->timer == NULL || evtimer_add(t->timer, &tv) != 0);
	pl_task_on_cancel(task, &t->gone, on_gone, t);
	*message = (struct llm_message){ .from = LLM_USER, .text = pl_str_dup(pool, question) };
	memcpy(answer->task->request_id, task->request_id, sizeof(answer->task->request_id));
	answer->task->who = task->who;
	answer->owner = t;
	answer->user_id = task->who.user_id;
	answer->text_max = REPLY_MAX_BYTES;
	answer->ask = (struct llm_request){ .config = answer->config,
		.upstream = config_upstream(answer->config, pl_str(answer->config->s.query_upstream)), .temperature = 0,
		.max_tokens = REPLY_MAX_TOKENS, .messages = message, .messages_count = 1, .system = intent_prompt(pool),
		.schema = intent_schema(pool) };
	answer_begin(answer);
}

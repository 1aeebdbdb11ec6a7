/* SPDX-License-Identifier: ISC */
/*
 * The life of an answer: requested, started in a later turn, texts, one completion.
 *
 *   llm_ask -> timer -> llm_try.c (upstream) or llm_local.c (built in) -> llm_generation_finish
 *   llm_cancel, canceled task, limits, shutdown: llm_generation_stop -> the same end
 */
#include "llm/llm.h"

#include <math.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "llm/llm_generation.h"

enum { GENERATION_POOL_BYTES = 4096 };

const char *llm_stop_text(enum llm_stop stop)
{
	static const char *const words[] = {
		[LLM_STOP_END] = "stop",
		[LLM_STOP_LENGTH] = "length",
		[LLM_STOP_FILTER] = "content_filter",
		[LLM_STOP_OTHER] = "other",
	};

	return words[stop];
}

void llm_generation_wait(struct llm_generation *generation, int64_t ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(generation->timer, &wait);
}

void llm_generation_stop(struct llm_generation *generation, enum pl_code code, const char *text)
{
	if (generation->stopped)
		return;
	generation->stopped = true;
	pl_err_set(&generation->err, code, text != NULL ? "%s" : NULL, text);
	if (generation->http != NULL)
		httpc_cancel(generation->http);
	else
		llm_generation_wait(generation, 0);
}

void llm_cancel(struct llm_generation *generation)
{
	llm_generation_stop(generation, PL_E_CANCELLED, NULL);
}

static void on_task_cancelled(void *arg)
{
	llm_generation_stop(arg, PL_E_CANCELLED, NULL);
}

bool llm_generation_text(struct llm_generation *generation, struct pl_str text)
{
	if (generation->stopped)
		return false;
	if (generation->result.first_us < 0)
		generation->result.first_us = (pl_now_ns() - generation->start_ns) / 1000;
	generation->result.text_bytes += (int64_t)text.len;
	generation->on_delta(generation->arg, text);
	return !generation->stopped;
}

static void count(const struct llm_generation *generation, const struct pl_err *err)
{
	const struct llm_result *result = &generation->result;
	struct shm_question question = {
		.outcome = err == NULL ? SHM_ASKED_DONE :
		    err->code == PL_E_CANCELLED || err->code == PL_E_STOPPING ? SHM_ASKED_CANCELLED :
		    err->code == PL_E_UNAVAILABLE && result->tries == 0 ? SHM_ASKED_UNAVAILABLE : SHM_ASKED_FAILED,
		.attempts = result->tries, .total_us = result->upstream_us, .first_us = result->first_us,
		.prompt_tokens = result->prompt_tokens, .completion_tokens = result->completion_tokens,
	};

	shm_upstream_count(generation->llm->shm,
	    pl_str(generation->upstream != NULL ? generation->upstream->name : LLM_LOCAL), &question);
}

void llm_generation_finish(struct llm_generation *generation, const struct pl_err *err)
{
	struct llm *llm = generation->llm;
	struct pl_task *task = generation->task;
	struct pl_pool *pool = generation->pool;

	PL_BUG(generation->http != NULL);
	event_free(generation->timer);
	pl_task_unhook(task, &generation->hook);
	TAILQ_REMOVE(&llm->generations, generation, link);
	llm->running--;
	if (err != NULL && generation->upstream != NULL)
		llm_try_estimate(generation);
	generation->result.upstream_us = (pl_now_ns() - generation->start_ns) / 1000;
	count(generation, err);
	generation->on_done(generation->arg, &generation->result, err);
	llm_try_fini(generation);
	pl_pool_free(&pool);
	pl_task_release(&task);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct llm_generation *generation = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (generation->stopped && generation->http == NULL)
		llm_generation_finish(generation, &generation->err);
	else if (generation->upstream != NULL)
		llm_try_timer(generation);
	else
		llm_local_timer(generation);
}

struct llm_generation *llm_ask(struct llm *llm, struct pl_task *task, const struct llm_request *request,
    llm_delta_fn *delta, llm_done_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(GENERATION_POOL_BYTES);
	struct llm_generation *generation = pl_alloc(pool, sizeof(*generation));

	generation->pool = pool;
	generation->llm = llm;
	generation->task = pl_task_hold(task);
	generation->upstream = request->upstream;
	if (request->upstream != NULL && request->config != NULL)
		generation->config = config_keep(pool, request->config);
	generation->on_delta = delta;
	generation->on_done = done;
	generation->arg = arg;
	generation->start_ns = pl_now_ns();
	generation->result = (struct llm_result){ .stop = LLM_STOP_OTHER, .prompt_tokens = -1, .completion_tokens = -1,
		.cost_micros = -1, .first_us = -1 };
	generation->timer = evtimer_new(llm->base, on_timer, generation);
	PL_BUG(generation->timer == NULL);
	TAILQ_INSERT_TAIL(&llm->generations, generation, link);
	llm->running++;
	pl_task_on_cancel(task, &generation->hook, on_task_cancelled, generation);
	if (request->upstream != NULL)
		llm_try_prepare(generation, request);
	else
		llm_local_prepare(generation, request);
	generation->result.model = generation->model;
	if (llm->stopping)
		llm_generation_stop(generation, PL_E_STOPPING, NULL);
	else if (task->cancelled)
		llm_generation_stop(generation, PL_E_CANCELLED, NULL);
	else
		llm_generation_wait(generation, 0);
	return generation;
}

struct llm *llm_new(struct event_base *base, struct httpc *httpc, struct shm *shm)
{
	struct llm *llm = pl_new(sizeof(*llm));

	llm->base = base;
	llm->httpc = httpc;
	llm->shm = shm;
	TAILQ_INIT(&llm->generations);
	llm_lists_init(llm);
	llm_memory_init(llm);
	return llm;
}

/* Completions may start new generations. `stopping` is set, so these end, too. */
void llm_free(struct llm **llmp)
{
	struct llm *llm = *llmp;
	struct llm_generation *generation;

	*llmp = NULL;
	if (llm == NULL)
		return;
	llm->stopping = true;
	TAILQ_FOREACH(generation, &llm->generations, link)
		llm_generation_stop(generation, PL_E_STOPPING, NULL);
	while (llm->running > 0) {
		llm_lists_stop(llm);
		httpc_flush(llm->httpc);
		while ((generation = TAILQ_FIRST(&llm->generations)) != NULL)
			llm_generation_finish(generation, &generation->err);
	}
	llm_lists_fini(llm);
	llm_memory_fini(llm);
	pl_free(llm);
}

/* SPDX-License-Identifier: ISC */
/*
 * Life of an answer: asked, begun in a later turn, texts, one completion.
 *
 *   llm_ask -> timer -> llm_try.c (upstream) or llm_local.c (built in) -> llm_call_finish
 *   llm_cancel, task cancelled, bounds, shutdown: llm_call_stop -> the same end
 */
#include "llm/llm.h"

#include <math.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "llm/llm_call.h"

enum { CALL_POOL_BYTES = 4096 };

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

void llm_call_wait(struct llm_call *call, int64_t ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(call->timer, &wait);
}

void llm_call_stop(struct llm_call *call, enum pl_code code, const char *text)
{
	if (call->stopped)
		return;
	call->stopped = true;
	pl_err_set(&call->err, code, text != NULL ? "%s" : NULL, text);
	if (call->http != NULL)
		httpc_cancel(call->http);
	else
		llm_call_wait(call, 0);
}

void llm_cancel(struct llm_call *call)
{
	llm_call_stop(call, PL_E_CANCELLED, NULL);
}

static void on_task_cancelled(void *arg)
{
	llm_call_stop(arg, PL_E_CANCELLED, NULL);
}

bool llm_call_text(struct llm_call *call, struct pl_str text)
{
	if (call->stopped)
		return false;
	if (call->result.first_us < 0)
		call->result.first_us = (pl_now_ns() - call->start_ns) / 1000;
	call->result.text_bytes += (int64_t)text.len;
	call->on_delta(call->arg, text);
	return !call->stopped;
}

static void count(const struct llm_call *call, const struct pl_err *err)
{
	const struct llm_result *result = &call->result;
	struct shm_question question = {
		.outcome = err == NULL ? SHM_ASKED_DONE :
		    err->code == PL_E_CANCELLED || err->code == PL_E_STOPPING ? SHM_ASKED_CANCELLED :
		    err->code == PL_E_UNAVAILABLE && result->tries == 0 ? SHM_ASKED_UNAVAILABLE : SHM_ASKED_FAILED,
		.attempts = result->tries, .total_us = result->upstream_us, .first_us = result->first_us,
		.prompt_tokens = result->prompt_tokens, .completion_tokens = result->completion_tokens,
	};

	shm_upstream_count(call->llm->shm, pl_str(call->upstream != NULL ? call->upstream->name : LLM_LOCAL),
	    &question);
}

void llm_call_finish(struct llm_call *call, const struct pl_err *err)
{
	struct llm *llm = call->llm;
	struct pl_task *task = call->task;
	struct pl_pool *pool = call->pool;

	PL_BUG(call->http != NULL);
	event_free(call->timer);
	pl_task_unhook(task, &call->hook);
	TAILQ_REMOVE(&llm->calls, call, link);
	llm->running--;
	if (err != NULL && call->upstream != NULL)
		llm_try_estimate(call);
	call->result.upstream_us = (pl_now_ns() - call->start_ns) / 1000;
	count(call, err);
	call->on_done(call->arg, &call->result, err);
	llm_try_fini(call);
	pl_pool_free(&pool);
	pl_task_release(&task);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct llm_call *call = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (call->stopped && call->http == NULL)
		llm_call_finish(call, &call->err);
	else if (call->upstream != NULL)
		llm_try_timer(call);
	else
		llm_local_timer(call);
}

struct llm_call *llm_ask(struct llm *llm, struct pl_task *task, const struct llm_request *request, llm_delta_fn *delta,
    llm_done_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(CALL_POOL_BYTES);
	struct llm_call *call = pl_alloc(pool, sizeof(*call));

	call->pool = pool;
	call->llm = llm;
	call->task = pl_task_hold(task);
	call->upstream = request->upstream;
	if (request->upstream != NULL && request->config != NULL)
		call->config = config_keep(pool, request->config);
	call->on_delta = delta;
	call->on_done = done;
	call->arg = arg;
	call->start_ns = pl_now_ns();
	call->result = (struct llm_result){ .stop = LLM_STOP_OTHER, .prompt_tokens = -1, .completion_tokens = -1,
		.cost_micros = -1, .first_us = -1 };
	call->timer = evtimer_new(llm->base, on_timer, call);
	PL_BUG(call->timer == NULL);
	TAILQ_INSERT_TAIL(&llm->calls, call, link);
	llm->running++;
	pl_task_on_cancel(task, &call->hook, on_task_cancelled, call);
	if (request->upstream != NULL)
		llm_try_prepare(call, request);
	else
		llm_local_prepare(call, request);
	call->result.model = call->model;
	if (llm->stopping)
		llm_call_stop(call, PL_E_STOPPING, NULL);
	else if (task->cancelled)
		llm_call_stop(call, PL_E_CANCELLED, NULL);
	else
		llm_call_wait(call, 0);
	return call;
}

struct llm *llm_new(struct event_base *base, struct httpc *httpc, struct shm *shm)
{
	struct llm *llm = pl_new(sizeof(*llm));

	llm->base = base;
	llm->httpc = httpc;
	llm->shm = shm;
	TAILQ_INIT(&llm->calls);
	llm_lists_init(llm);
	llm_memory_init(llm);
	return llm;
}

/* The completions may start new calls: these end as well, since `stopping` is set. */
void llm_free(struct llm **llmp)
{
	struct llm *llm = *llmp;
	struct llm_call *call;

	*llmp = NULL;
	if (llm == NULL)
		return;
	llm->stopping = true;
	TAILQ_FOREACH(call, &llm->calls, link)
		llm_call_stop(call, PL_E_STOPPING, NULL);
	while (llm->running > 0) {
		llm_lists_stop(llm);
		httpc_flush(llm->httpc);
		while ((call = TAILQ_FIRST(&llm->calls)) != NULL)
			llm_call_finish(call, &call->err);
	}
	llm_lists_fini(llm);
	llm_memory_fini(llm);
	pl_free(llm);
}

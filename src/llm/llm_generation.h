/* SPDX-License-Identifier: ISC */
/*
 * Internal to llm: a running answer, and the results of a dialect. Only src/llm/ includes this.
 */
#ifndef LLM_LLM_GENERATION_H
#define LLM_LLM_GENERATION_H

#include <sys/queue.h>

#include "llm/llm.h"
#include "llm/llm_dialect.h"

TAILQ_HEAD(llm_generations, llm_generation);

struct llm {
	struct event_base *base;
	struct httpc *httpc;
	struct shm *shm;
	struct llm_generations generations;
	struct llm_lists *lists;	/* llm_models.c */
	struct llm_memory *memory;	/* llm_options.c */
	int running;
	bool stopping;
};

struct llm_generation {
	TAILQ_ENTRY(llm_generation) link;
	struct llm *llm;
	struct pl_pool *pool;		/* the generation itself, the encoded request, the local answer */
	struct pl_task *task;
	struct pl_cancel hook;
	struct event *timer;		/* start, next local word, first-text bound, pause before a retry, grace */
	CONFIG_HELD const struct config *config;	/* NULL with local */
	CONFIG_HELD const struct upstream_settings *upstream;	/* NULL: local */
	struct pl_str model;		/* as requested */
	struct llm_result result;
	llm_delta_fn *on_delta;
	llm_done_fn *on_done;
	void *arg;
	bool stopped;			/* by cancel, a time limit, or shutdown; `err` has the reason */
	struct pl_err err;
	int64_t start_ns;

	/* llm_local.c */
	struct pl_str answer;		/* the text that was not sent yet */
	bool answer_ready;

	/* llm_try.c */
	struct pl_buf body;
	struct pl_jw head;		/* the writer after the messages, */
	size_t head_bytes;		/* and its position: the options follow */
	struct llm_request options;	/* the options only */
	unsigned without, known;	/* options that are omitted; those that were remembered at the start */
	unsigned unsure;		/* of `without`: not certain to be the cause, so not remembered */
	struct pl_str key;		/* wiped with the pool */
	struct httpc_transfer *http;
	struct llm_decoder dec;
	struct pl_buf refusal;		/* body of a reply that is not 2xx; heap */
	bool dec_open, in_grace;
	bool admitted;			/* by the breaker, which all attempts of one query ask once */
	int64_t try_ns;
};

/* llm.c: ends the generation: the connection closes, and `done` is called in a later turn. */
void llm_generation_stop(struct llm_generation *generation, enum pl_code code, const char *text);
/* llm.c: completes the generation; from the event loop only. err NULL = complete answer. The generation is freed. */
void llm_generation_finish(struct llm_generation *generation, const struct pl_err *err);
/* llm.c: passes text to delta; false: the generation was stopped meanwhile. */
bool llm_generation_text(struct llm_generation *generation, struct pl_str text);
void llm_generation_wait(struct llm_generation *generation, int64_t ms);	/* sets the timer */

/* llm_try.c: prepares a generation of an upstream; starts an attempt; handles the timer. */
void llm_try_prepare(struct llm_generation *generation, const struct llm_request *request);
void llm_try_timer(struct llm_generation *generation);
void llm_try_fini(struct llm_generation *generation);
/* Estimates the tokens of a generation that ended before they were counted, from the lengths of the texts. */
void llm_try_estimate(struct llm_generation *generation);

/* llm_options.c: bits of enum llm_without */
void llm_memory_init(struct llm *llm);
void llm_memory_fini(struct llm *llm);
unsigned llm_memory_get(const struct llm *llm, const struct upstream_settings *upstream, struct pl_str model);
void llm_memory_set(struct llm *llm, const struct upstream_settings *upstream, struct pl_str model, unsigned without);

/* llm_local.c: the same for the built-in responder. */
void llm_local_prepare(struct llm_generation *generation, const struct llm_request *request);
void llm_local_timer(struct llm_generation *generation);

/* llm_models.c */
void llm_lists_init(struct llm *llm);
void llm_lists_fini(struct llm *llm);
void llm_lists_stop(struct llm *llm);

#endif

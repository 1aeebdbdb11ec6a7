/* SPDX-License-Identifier: ISC */
/*
 * Models, provider-neutral: ask, stream, cancel, list. One struct llm per process.
 *
 * The built-in `local` responder needs no network; others are [llm NAME] sections. Retries, the circuit breaker and the
 * time bounds of the section are applied here.
 */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include <event2/event.h>

#include "core/settings.h"
#include "core/shm.h"
#include "err.h"
#include "net/httpc.h"
#include "task.h"

#define LLM_LOCAL "local"		/* name of the built-in upstream */
#define LLM_LOCAL_MODEL "local-1"

struct llm;
struct llm_generation;

enum llm_from { LLM_USER, LLM_ASSISTANT };
enum llm_stop { LLM_STOP_END, LLM_STOP_LENGTH, LLM_STOP_FILTER, LLM_STOP_OTHER };

/* name: who wrote it; a user's text goes out as "name: text" when it is given. Other roles' messages are LLM_USER with
 * their name; LLM_ASSISTANT is what the answering role itself said. Texts are valid UTF-8 without NUL. */
struct llm_message { enum llm_from from; struct pl_str name, text; };

/* Something that the answer may draw on and then names as [number]. torn: its first words may belong to a sentence that
 * began before it. */
struct llm_passage { int number; bool torn; struct pl_str text, title; };

/*
 * What a session knows about the person; local answers from it. value: absent: not said yet; sensitive ones are masked.
 */
struct llm_fact { struct pl_str name, label, value; };

/* Borrowed until llm_ask() returned. */
struct llm_request {
	CONFIG_BORROWED const struct config *config;	/* that `upstream` belongs to. NULL with local */
	CONFIG_BORROWED const struct upstream_settings *upstream;	/* NULL: local */
	struct pl_str key;			/* absent: the section's own; else goes out instead of it */
	struct pl_str model;			/* absent or empty: the upstream's own default */
	struct pl_str system;			/* absent or empty: none */
	const struct llm_message *messages;	/* oldest first */
	int messages_count;
	/* the best first; `system` tells them to models, local takes them from here */
	const struct llm_passage *passages;
	int passages_count;
	/* local only: what is known of the person; what to say when a person is wanted (absent: its own words) */
	const struct llm_fact *facts;
	int facts_count;
	struct pl_str person;
	bool person_asks;			/* local only: a wish for a person becomes a feedback request */
	double temperature;			/* NAN: the upstream's default */
	int64_t max_tokens;			/* 0: the upstream's default */
	struct pl_str schema;			/* JSON schema of the answer, for servers that take one; absent: none */
};

/* Always given, also with an error (then for what was produced so far). */
struct llm_result {
	enum llm_stop stop;
	struct pl_str model;			/* as the upstream names it, else as asked; never absent */
	int64_t prompt_tokens, completion_tokens;	/* -1 unknown */
	int64_t cost_micros;			/* of a US dollar, as the upstream told; -1 unknown */
	bool estimated;				/* the counts are: words, or the text's length by four */
	struct pl_str reasoning;		/* what the model thought before it answered; absent: nothing */
	int64_t text_bytes;			/* handed to delta */
	int64_t upstream_us;			/* from the ask to the end, retries included */
	int64_t first_us;			/* from the ask to the first text; -1: there was none */
	int tries;
};

/* The next piece of the answer: never empty, valid UTF-8, whole characters, no NUL. May call llm_cancel(). */
typedef void (llm_delta_fn)(void *arg, struct pl_str text);
/* err NULL: the answer is whole. Borrowed during the call; the llm_generation is gone when this returns. */
typedef void (llm_done_fn)(void *arg, const struct llm_result *result, const struct pl_err *err);

struct llm *llm_new(struct event_base *base, struct httpc *httpc, struct shm *shm);
/* Completes what still runs with PL_E_STOPPING and clears *llm; before httpc_free(). Not from a callback. */
void llm_free(struct llm **llm);

/*
 * Asks for one streamed answer; holds `task` until done ran.
 *   errors:  PL_E_UNAVAILABLE (breaker open; retry_after_s), PL_E_UPSTREAM (refused, overloaded, broken reply; a 429
 *            with its retry_after_s), PL_E_UPSTREAM_AUTH (401, 403), PL_E_UPSTREAM_SLOW, PL_E_UPSTREAM_CUT (broke off),
 *            PL_E_DEADLINE, PL_E_CANCELLED, PL_E_STOPPING
 *   retries: up to 2 before the first text: connection errors, 408, 409, 429, 5xx; never after a time-out
 *   async:   done once, never before return; no delta before return nor after done; pl_task_cancel() cancels
 *   source:  OpenAI API reference, "Create chat completion", streaming; Anthropic API reference, "Create a Message"
 */
struct llm_generation *llm_ask(struct llm *llm, struct pl_task *task, const struct llm_request *request,
    llm_delta_fn *delta, llm_done_fn *done, void *arg);
/* Closes the upstream's connection at once; no more deltas; done comes with PL_E_CANCELLED from a later turn. */
void llm_cancel(struct llm_generation *generation);
/* Does somebody want to talk to a person? In English, and some words of other languages. */
bool llm_local_wants_person(struct pl_str text);
/* IDLE: small talk, or a language that local does not read; UPSET: a complaint; PERSON: a wish for a person. */
enum llm_mood { LLM_MOOD_NONE, LLM_MOOD_IDLE, LLM_MOOD_UPSET, LLM_MOOD_PERSON };
enum llm_mood llm_local_mood(struct pl_str text);
/* How an answer begins that says that a person was asked. */
#define LLM_LOCAL_ASKED "I have asked a person"
const char *llm_stop_text(enum llm_stop stop);	/* OpenAI's words: stop, length, content_filter, other */

/* What the circuit breaker (core/shm_parts.h) of a model is called; in pool, or borrowed from the upstream. */
struct pl_str llm_breaker_name(struct pl_pool *pool, const struct upstream_settings *upstream, struct pl_str model);

/* models: sorted as configured or as the upstream lists them; borrowed during the call. count 0 with an error. */
typedef void (llm_models_fn)(void *arg, const struct pl_str *models, int count, const struct pl_err *err);
/*
 * The models of one upstream (NULL: local): the configured list, else GET {url}/models within 3 s, kept 10 minutes per
 * process and key; a failure is kept 30 s, and the last list given meanwhile. key: goes out instead of the section's
 * own, in the task's pool; absent: that one.
 *   errors:  as llm_ask(); at most 1000 models, names of at most 128 bytes
 *   async:   done once, never before return
 */
void llm_models(struct llm *llm, struct pl_task *task, const struct config *config,
    const struct upstream_settings *upstream, struct pl_str key, llm_models_fn *done, void *arg);

#endif

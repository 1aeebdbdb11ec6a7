/* SPDX-License-Identifier: ISC */
/*
 * Models of all providers: query, stream, cancel, list. One struct llm per process.
 *
 * The built-in `local` responder needs no network; other upstreams are [llm NAME] sections. Retries, the circuit
 * breaker, and the time limits of the section are handled here.
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

/*
 * name: the author; if given, the text of a user is sent as "name: text". Messages of other roles are LLM_USER with
 * their name; LLM_ASSISTANT is for messages of the answering role itself. Texts are valid UTF-8 without NUL.
 */
struct llm_message { enum llm_from from; struct pl_str name, text; };

/*
 * A passage that the answer may use and then cites as [number]. torn: its first words may belong to a sentence that
 * begins before the passage.
 */
struct llm_passage { int number; bool torn; struct pl_str text, title; };

/*
 * A value that the form of a session asks for, which local can answer from. value: absent: not known yet; of a
 * sensitive one, its masked form. why: the reason for asking; absent or empty: no reason. taken: the part of the last
 * message from which the value was read, else the value; never shown. noted: there is a value; if `value` is absent
 * nevertheless, it can no longer be decrypted.
 */
struct llm_fact { struct pl_str name, label, value, why, taken; bool noted, sensitive; };

/* Borrowed until llm_ask() returned. */
struct llm_request {
	CONFIG_BORROWED const struct config *config;	/* that `upstream` belongs to. NULL with local */
	CONFIG_BORROWED const struct upstream_settings *upstream;	/* NULL: local */
	struct pl_str key;			/* absent: the key of the section; else replaces it */
	struct pl_str model;			/* absent or empty: the default of the upstream */
	struct pl_str system;			/* absent or empty: none */
	const struct llm_message *messages;	/* oldest first */
	int messages_count;
	/* the best first; models get them in `system`, local reads them here */
	const struct llm_passage *passages;
	int passages_count;
	/* local only: facts about the person; the reply to a request for a person (absent: a default text) */
	const struct llm_fact *facts;
	int facts_count, fact_asked;		/* index of the value that the form asks for now; -1: none */
	struct pl_str form_title;		/* of the form that asks for them */
	struct pl_str person;
	struct pl_str person_failed;		/* local only: an earlier request was not delivered; absent: it was */
	bool person_asks;			/* local only: a request for a person becomes a feedback request */
	double temperature;			/* NAN: the upstream's default */
	int64_t max_tokens;			/* 0: the upstream's default */
	struct pl_str schema;			/* JSON schema of the answer, for servers that take one; absent: none */
};

/* Always given, also with an error (then for the text produced until then). */
struct llm_result {
	enum llm_stop stop;
	struct pl_str model;			/* as named by the upstream, else as requested; never absent */
	int64_t prompt_tokens, completion_tokens;	/* -1 unknown */
	int64_t cost_micros;			/* of a US dollar, as reported by the upstream; -1 unknown */
	bool estimated;				/* the counts are: words, or a quarter of the bytes of the text */
	struct pl_str reasoning;		/* reasoning of the model before the answer; absent: none */
	int64_t text_bytes;			/* passed to delta */
	int64_t upstream_us;			/* from the request to the end, retries included */
	int64_t first_us;			/* from the request to the first text; -1: there was none */
	int tries;
};

/* The next piece of the answer: never empty, valid UTF-8, whole characters, no NUL. May call llm_cancel(). */
typedef void (llm_delta_fn)(void *arg, struct pl_str text);
/* err NULL: the answer is complete. Borrowed during the call; the llm_generation is freed when this returns. */
typedef void (llm_done_fn)(void *arg, const struct llm_result *result, const struct pl_err *err);

struct llm *llm_new(struct event_base *base, struct httpc *httpc, struct shm *shm);
/*
 * Completes running generations with PL_E_STOPPING and clears *llm. Call it before httpc_free(), and not from a
 * callback.
 */
void llm_free(struct llm **llm);

/*
 * Requests one streamed answer; holds `task` until done ran.
 *   errors:  PL_E_UNAVAILABLE (breaker open; retry_after_s), PL_E_UPSTREAM (refused, overloaded, broken reply; a 429
 *            with its retry_after_s), PL_E_UPSTREAM_AUTH (401, 403), PL_E_UPSTREAM_SLOW, PL_E_UPSTREAM_CUT (cut off),
 *            PL_E_DEADLINE, PL_E_CANCELLED, PL_E_STOPPING
 *   retries: up to 2 before the first text: connection errors, 408, 409, 429, 5xx; never after a time-out
 *   async:   done once, never before return; no delta before return nor after done; pl_task_cancel() cancels
 *   source:  OpenAI API reference, "Create chat completion", streaming; Anthropic API reference, "Create a Message"
 */
struct llm_generation *llm_ask(struct llm *llm, struct pl_task *task, const struct llm_request *request,
    llm_delta_fn *delta, llm_done_fn *done, void *arg);
/* Closes the upstream's connection at once; no more deltas; done comes with PL_E_CANCELLED from a later turn. */
void llm_cancel(struct llm_generation *generation);
/* Returns whether the text asks for a person. Understands English, and some words of other languages. */
bool llm_local_wants_person(struct pl_str text);
/* IDLE: small talk, or a language that local does not read; UPSET: a complaint; PERSON: a request for a person. */
enum llm_mood { LLM_MOOD_NONE, LLM_MOOD_IDLE, LLM_MOOD_UPSET, LLM_MOOD_PERSON };
enum llm_mood llm_local_mood(struct pl_str text);
/* The start of an answer that reports that a person was asked. */
#define LLM_LOCAL_ASKED "I have asked a person"
/* The start of a sentence that reports that the request to a person was not delivered. */
#define LLM_LOCAL_FAILED "My request to a person was not delivered"
/* Returns whether the messages say that a person was asked, and not later that the request was not delivered. */
bool llm_local_person_waits(const struct llm_message *messages, int count);
const char *llm_stop_text(enum llm_stop stop);	/* OpenAI's words: stop, length, content_filter, other */

/* The name of the circuit breaker (core/shm_parts.h) of a model; in pool, or borrowed from the upstream. */
struct pl_str llm_breaker_name(struct pl_pool *pool, const struct upstream_settings *upstream, struct pl_str model);

/* models: sorted as configured or as the upstream lists them; borrowed during the call. count 0 with an error. */
typedef void (llm_models_fn)(void *arg, const struct pl_str *models, int count, const struct pl_err *err);
/*
 * The models of one upstream (NULL: local): the configured list, else GET {url}/models within 3 s, cached for 10
 * minutes per process and key. A failure is cached for 30 s; meanwhile, the last list is returned. key: replaces the
 * key of the section, in the task's pool; absent: the key of the section.
 *   errors:  as llm_ask(); at most 1000 models, names of at most 128 bytes
 *   async:   done once, never before return
 */
void llm_models(struct llm *llm, struct pl_task *task, const struct config *config,
    const struct upstream_settings *upstream, struct pl_str key, llm_models_fn *done, void *arg);

#endif

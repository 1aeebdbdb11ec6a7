/* SPDX-License-Identifier: ISC */
/*
 * Shared by answer*.c: the table of moves, its actions, and the state of the engine.
 */
#ifndef SVC_ANSWER_INT_H
#define SVC_ANSWER_INT_H

#include <event2/event.h>

#include "svc/account/limits.h"
#include "svc/account/provider_key.h"
#include "svc/answer/answer.h"
#include "svc/knowledge/knowledge.h"

enum answer_event {
	ANSWER_EV_BEGUN, ANSWER_EV_ADOPTED, ANSWER_EV_SETTLED, ANSWER_EV_DROPPED, ANSWER_EV_READY, ANSWER_EV_FOUND,
	ANSWER_EV_KEY, ANSWER_EV_TEXT, ANSWER_EV_ANSWERED, ANSWER_EV_FAILED, ANSWER_EV_STORED, ANSWER_EV_REFUSED,
	ANSWER_EV_ENDED, ANSWER_EV_BUSY, ANSWER_EV_TIMER, ANSWER_EV_STOP, ANSWER_EV_CUT,
	ANSWER_EVENTS
};

/* fn NULL: the event is a bug in this state. */
struct answer_move { enum answer_state next; const char *name; void (*fn)(struct answer *answer); };

/* The only way to change the state: sets the state, then runs the action. The answer may be freed afterwards. */
void answer_move(struct answer *answer, enum answer_event event);
const struct answer_move *answer_move_of(enum answer_state state, enum answer_event event);
const char *answer_state_name(enum answer_state state);
const char *answer_event_name(enum answer_event event);

/* Functions of other modules; tests replace them. */
struct answer_env {
	struct llm_generation *(*ask)(struct llm *llm, struct pl_task *task, const struct llm_request *request,
	    llm_delta_fn *delta, llm_done_fn *done, void *arg);
	void (*cancel)(struct llm_generation *generation);
	bool (*empty)(const struct svc *svc);
	void (*search)(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
	    knowledge_fn *done, void *arg);
	void (*key)(struct svc *svc, const struct config *config, struct pl_task *task, int64_t user_id,
	    const struct upstream_settings *upstream, provider_key_fn *done, void *arg);
	int retry_ms;
};

struct answers {
	struct svc *svc;
	const struct answer_env *env;
	struct answer *list;
	int running;
	bool stopping, closed;
	answer_adopt_fn *orphan[ANSWER_KINDS];
};

struct answer_run {
	struct event *timer;			/* gathers deltas, repeats, lingers */
	struct llm_generation *generation;
	size_t shared;				/* bytes of the text that are in shared memory */
	struct knowledge_found found;
	struct pl_caller limit_who;
	struct pl_str limit_extra;
	/* arguments of an event; valid until its action starts */
	struct pl_str text;
	const struct llm_result *result;
	const struct pl_err *err;
};

/* answer.c */
void answer_arm(struct answer *answer, int64_t ms);
void answer_free(struct answer *answer);

/* answer_run.c: up to the end of the generation */
void answer_do_context(struct answer *answer);
void answer_do_search(struct answer *answer);
void answer_do_key(struct answer *answer);
void answer_do_ask(struct answer *answer);
void answer_do_text(struct answer *answer);
void answer_do_gathered(struct answer *answer);
void answer_do_stop(struct answer *answer);
void answer_do_cut(struct answer *answer);

/* answer_end.c: after the generation */
void answer_do_adopt(struct answer *answer);
void answer_do_finish(struct answer *answer);
void answer_do_store(struct answer *answer);
void answer_do_end(struct answer *answer);
void answer_do_over(struct answer *answer);
void answer_do_drop(struct answer *answer);
void answer_do_pause(struct answer *answer);
void answer_do_free(struct answer *answer);
void answer_do_nothing(struct answer *answer);

#endif

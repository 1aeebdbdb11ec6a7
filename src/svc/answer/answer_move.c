/* SPDX-License-Identifier: ISC */
/*
 * The life of an answer as a table: state x event -> next state and action. A pair that is not in the table is a bug.
 */
#include "log.h"
#include "svc/answer/answer_int.h"

#define DO(next, action) { ANSWER_##next, #action, answer_do_##action }
/* A request to end is kept in answer->ending; a model that writes is stopped. */
#define ENDS(state) [ANSWER_EV_STOP] = DO(state, stop), [ANSWER_EV_CUT] = DO(state, cut)

static const struct answer_move moves[ANSWER_STATES][ANSWER_EVENTS] = {
	[ANSWER_BEGINNING] = {
		[ANSWER_EV_BEGUN] = DO(CONTEXT, context), [ANSWER_EV_ADOPTED] = DO(ADOPTING, adopt),
		[ANSWER_EV_SETTLED] = DO(STORING, store), [ANSWER_EV_FAILED] = DO(STORING, finish),
		[ANSWER_EV_DROPPED] = DO(OVER, drop), ENDS(BEGINNING),
	},
	[ANSWER_ADOPTING] = {
		[ANSWER_EV_SETTLED] = DO(STORING, store), [ANSWER_EV_BUSY] = DO(ADOPTING, pause),
		[ANSWER_EV_TIMER] = DO(ADOPTING, adopt), ENDS(ADOPTING),
	},
	[ANSWER_CONTEXT] = {
		[ANSWER_EV_READY] = DO(SEARCHING, search), [ANSWER_EV_FAILED] = DO(STORING, finish), ENDS(CONTEXT),
	},
	[ANSWER_SEARCHING] = { [ANSWER_EV_FOUND] = DO(KEY, key), ENDS(SEARCHING) },
	[ANSWER_KEY] = {
		[ANSWER_EV_KEY] = DO(ASKING, ask), [ANSWER_EV_FAILED] = DO(STORING, finish), ENDS(KEY),
	},
	[ANSWER_ASKING] = {
		[ANSWER_EV_TEXT] = DO(ASKING, text), [ANSWER_EV_TIMER] = DO(ASKING, gathered),
		[ANSWER_EV_ANSWERED] = DO(STORING, finish), ENDS(ASKING),
	},
	[ANSWER_STORING] = {
		[ANSWER_EV_STORED] = DO(ENDING, end), [ANSWER_EV_REFUSED] = DO(ENDING, end),
		[ANSWER_EV_BUSY] = DO(STORING, pause), [ANSWER_EV_TIMER] = DO(STORING, store), ENDS(STORING),
	},
	[ANSWER_ENDING] = {
		[ANSWER_EV_ENDED] = DO(OVER, over), [ANSWER_EV_BUSY] = DO(ENDING, pause),
		[ANSWER_EV_TIMER] = DO(ENDING, end), ENDS(ENDING),
	},
	[ANSWER_OVER] = {
		[ANSWER_EV_TIMER] = DO(OVER, free),
		[ANSWER_EV_STOP] = DO(OVER, nothing), [ANSWER_EV_CUT] = DO(OVER, nothing),
	},
};

const struct answer_move *answer_move_of(enum answer_state state, enum answer_event event)
{
	return &moves[state][event];
}

void answer_move(struct answer *answer, enum answer_event event)
{
	const struct answer_move *move = &moves[answer->state][event];

	if (answer->answers->closed)
		return; /* the process ends; answers_free() frees it */
	PL_BUG(move->fn == NULL);
	answer->state = move->next;
	move->fn(answer);
}

const char *answer_state_name(enum answer_state state)
{
	static const char *const names[ANSWER_STATES] = { "beginning", "adopting", "context", "searching", "key",
		"asking", "storing", "ending", "over" };

	return names[state];
}

const char *answer_event_name(enum answer_event event)
{
	static const char *const names[ANSWER_EVENTS] = { "begun", "adopted", "settled", "dropped", "ready", "found",
		"key", "text", "answered", "failed", "stored", "refused", "ended", "busy", "timer", "stop", "cut" };

	return names[event];
}

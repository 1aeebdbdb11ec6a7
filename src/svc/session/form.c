/* SPDX-License-Identifier: ISC */
/* The result of a step of a form: the next question, whether the form is complete, and the instructions for a model. */
#include "svc/session/form.h"

static bool given_up(const struct form_slot *slot, const struct form_state *state, int i)
{
	return !state->filled[i] && slot->s->tries > 0 && state->tries[i] >= slot->s->tries;
}

int form_next(const struct form *form, const struct form_state *state)
{
	for (int i = 0; i < form->count; i++)
		if (form->slots[i].s->required && !state->filled[i] && !given_up(&form->slots[i], state, i))
			return i;
	return -1;
}

static bool is_filled(const struct form *form, const struct form_state *state)
{
	bool any = false;

	for (int i = 0; i < form->count; i++)
		any = any || state->filled[i];
	return any && state->over == FORM_GOES_ON && form_next(form, state) < 0;
}

bool form_is_complete(const struct form *form, const struct form_state *state, bool confirmed)
{
	return is_filled(form, state) && (!form->confirm || state->complete || confirmed);
}

/* The value of the requested slot was not understood too many times. */
static void give_up(const struct form *form, const struct form_state *before, struct form_step *step,
    struct form_state *after)
{
	int asked = before->requested;
	const struct form_slot_settings *s = form->slots[asked].s;

	if (s->tries == 0 || after->tries[asked] < s->tries)
		return;
	step->skipped = asked;
	if (!before->filled[asked] && s->give_up == FORM_HAND_OVER)
		after->over = FORM_HANDED_OVER;
	else if (form_next(form, after) < 0 && !is_filled(form, after))
		after->over = FORM_CANCELLED;	/* no value was given */
}

static int count_found(const struct form *form, const struct form_step *step)
{
	int n = 0;

	for (int i = 0; i < form->count; i++)
		n += step->value[i].ptr != NULL;
	return n;
}

/* A value that is already known is neither a correction nor worth a question. true: there was such a value. */
static bool drop_same(const struct form *form, const struct form_state *state, struct form_step *step)
{
	bool any = false;

	for (int i = 0; i < form->count; i++) {
		struct pl_str old = form->slots[i].s->sensitive ? state->secret[i] : state->value[i];
		bool pending = step->pending == i;
		struct pl_str value = pending ? step->pending_value : step->value[i];

		step->same[i] = state->filled[i] && old.ptr != NULL && value.ptr != NULL && pl_str_eq(old, value);
		if (!step->same[i])
			continue;
		any = true;
		step->value[i] = step->raw[i] = PL_STR_NONE;
		if (pending)
			step->pending = -1;
	}
	return any;
}

bool form_has(const struct form_state *state, const struct form_step *step, int slot)
{
	return step->value[slot].ptr != NULL || (state->filled[slot] && !step->cleared[slot]);
}

void form_finish(const struct form *form, const struct form_state *state, struct form_step *step)
{
	struct form_state after = *state;
	int asked = state->requested;
	bool same = drop_same(form, state, step);

	for (int i = 0; i < form->count; i++)
		after.filled[i] = form_has(state, step, i);
	step->found = count_found(form, step);
	for (int i = 0; i < form->count; i++)
		after.tries[i] = step->cleared[i] ? 0 : after.tries[i];
	step->missed = asked >= 0 && step->found == 0 && !step->question && !same && !step->disputed && !step->clears &&
	    step->reopened < 0 && !step->cancelled &&
	    step->pending < 0 &&
	    !(step->denied && state->pending >= 0 && state->pending != asked);
	if (step->missed) {
		after.tries[asked]++;
		give_up(form, state, step, &after);
	}
	if (step->cancelled && !form_is_complete(form, state, false) && state->over == FORM_GOES_ON)
		after.over = FORM_CANCELLED;
	memcpy(step->tries, after.tries, sizeof(step->tries));
	step->over = after.over;
	if (step->clears)
		after.complete = after.complete && form_is_complete(form, &after, false);
	step->complete = form_is_complete(form, &after, step->confirmed && step->found == 0);
	step->confirming = is_filled(form, &after) && !step->complete && step->pending < 0 && !step->cancelled;
	step->requested = after.over == FORM_GOES_ON ? form_next(form, &after) : -1;
	if (step->reopened >= 0)
		step->requested = step->reopened;
	else if (asked >= 0 && step->value[asked].ptr == NULL && state->filled[asked] && !step->found && !same &&
	    !step->cancelled && !step->clears && step->skipped < 0)
		step->requested = asked; /* a correction that is still open */
}

struct pl_str form_prompt(const struct form *form, struct pl_pool *pool, const struct form_state *state)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_adds(&out, "Extract form values from the user's message. Reply with one JSON object and nothing else: "
	    "{\"slots\": {NAME: TEXT, ...}, \"question\": true or false}. Copy each value exactly as it is written in "
	    "the message, in full, with its unit. Only values that the user states as their own and as true now: not "
	    "what is asked, denied, replaced, or said of others, no order numbers, prices, or counts. "
	    "Leave out slots that the message does not give. question: the message asks something that wants an "
	    "answer. Slots:\n");
	for (int i = 0; i < form->count; i++)
		pl_buf_addf(&out, "- %s: %s. The form asks: %s%s\n", form->slots[i].name, form->slots[i].s->label,
		    form->slots[i].s->ask, state->requested == i ? " (asked just now)" : "");
	return pl_buf_str(&out);
}

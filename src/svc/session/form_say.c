/* SPDX-License-Identifier: ISC */
/* The replies of a form: what it noted, what it asks about, its next request, and its end. */
#include "svc/session/form.h"

struct saying {
	const struct form *form;
	struct pl_pool *pool;
	const struct form_state *state;
	const struct form_step *step;
	struct pl_buf out;
};

static void add_value(struct saying *s, int i, struct pl_str value)
{
	const struct form_slot *slot = &s->form->slots[i];

	pl_buf_addf(&s->out, "%s %.*s%s", slot->s->label, PL_FMT(form_shown(slot, s->pool, value)),
	    slot->s->sensitive ? " (kept sealed)" : "");
}

static void add_noted(struct saying *s, bool again)
{
	int n = 0;

	for (int i = 0; i < s->form->count; i++) {
		if (s->step->value[i].ptr == NULL || s->state->filled[i] != again)
			continue;
		pl_buf_adds(&s->out, n++ > 0 ? "; " : again ? "Corrected: " : "Noted: ");
		add_value(s, i, s->step->value[i]);
	}
	pl_buf_adds(&s->out, n > 0 ? ". " : "");
}

static void add_same(struct saying *s)
{
	int n = 0;

	for (int i = 0; i < s->form->count; i++) {
		const struct form_slot *slot = &s->form->slots[i];

		if (!s->step->same[i])
			continue;
		pl_buf_adds(&s->out, n++ > 0 ? "; " : "I have that already: ");
		add_value(s, i, slot->s->sensitive ? s->state->secret[i] : s->state->value[i]);
	}
	pl_buf_adds(&s->out, n > 0 ? ". " : "");
}

/* Names the deleted values, or says that there were none. */
static void add_cleared(struct saying *s)
{
	int n = 0;

	for (int i = 0; i < s->form->count; i++)
		if (s->step->cleared[i])
			pl_buf_addf(&s->out, "%s%s", n++ > 0 ? ", " : "Deleted: ", s->form->slots[i].s->label);
	pl_buf_adds(&s->out, n > 0 ? ". " : "I have nothing of that kind noted. ");
}

static const char *or_else(const char *text, const char *usual)
{
	return text[0] != '\0' ? text : usual;
}

static void add_ending(struct saying *s)
{
	const struct form_step *step = s->step;

	if (step->over == FORM_HANDED_OVER && s->state->over != step->over)
		pl_buf_adds(&s->out,
		    or_else(s->form->handed_over, "I do not get on with this; a person can see what you told me."));
	else if (step->cancelled || (step->over == FORM_CANCELLED && s->state->over != step->over))
		pl_buf_adds(&s->out,
		    or_else(s->form->cancelled, "All right, I do not ask any further. What else can I do for you?"));
	else if (step->complete && !form_is_complete(s->form, s->state, false))
		pl_buf_adds(&s->out, s->form->thanks);
	else if (step->denied)
		pl_buf_adds(&s->out, "All right, nothing is changed.");
}

static void add_proposal(struct saying *s)
{
	const struct form_slot *slot = &s->form->slots[s->step->pending];

	if (s->step->mistyped) {
		pl_buf_addf(&s->out, "Did you mean %.*s?",
		    PL_FMT(form_shown(slot, s->pool, s->step->pending_value)));
		return;
	}
	pl_buf_addf(&s->out, "I understood %.*s as your %s. Is that right?",
	    PL_FMT(form_shown(slot, s->pool, s->step->pending_value)), slot->s->label);
}

/* Lists all values, noted before or now. */
static void add_known(struct saying *s, const char *before, const char *after)
{
	int n = 0;

	pl_buf_adds(&s->out, before);
	for (int i = 0; i < s->form->count; i++) {
		const struct form_slot *slot = &s->form->slots[i];
		struct pl_str value = s->step->value[i].ptr != NULL ? s->step->value[i]
		    : slot->s->sensitive                            ? s->state->secret[i]
								    : s->state->value[i];

		if (!form_has(s->state, s->step, i))
			continue;
		pl_buf_adds(&s->out, n++ > 0 ? "; " : "");
		if (value.ptr != NULL)
			add_value(s, i, value);
		else
			pl_buf_addf(&s->out, "%s (kept sealed)", slot->s->label);
	}
	pl_buf_adds(&s->out, after);
}

/* Lists all values before the form is complete. */
static void add_summary(struct saying *s)
{
	if (s->step->denied) {
		pl_buf_adds(&s->out, "What should I change?");
		return;
	}
	add_known(s, "Please check: ", ". Is all of that right?");
}

/* Explains why the answer is not valid, if there is an explanation. */
static bool add_doubt(struct saying *s, int i)
{
	static const char *const periods[] = {"", "an hour", "a day", "a week", "a month", "a year"};
	static const char *const wanted[] = {"in all", "an hour", "a day", "a week", "a month", "a year"};
	const struct form_slot *slot = &s->form->slots[i];
	const struct read_value *v = &s->step->read[i];

	switch (v->verdict) {
	case READ_SEVERAL:
		pl_buf_addf(&s->out, "I understood %.*s and %.*s. Which one is your %s?",
		    PL_FMT(form_shown(slot, s->pool, v->value)), PL_FMT(form_shown(slot, s->pool, v->other)),
		    slot->s->label);
		return true;
	case READ_RANGE:
		pl_buf_addf(&s->out, "I understood %.*s to %.*s. Which one number is your %s?",
		    PL_FMT(form_shown(slot, s->pool, v->value)), PL_FMT(form_shown(slot, s->pool, v->other)),
		    slot->s->label);
		return true;
	case READ_RATE:
		pl_buf_addf(&s->out, "I understood %.*s %s. How much is your %s %s?",
		    PL_FMT(form_shown(slot, s->pool, v->value)), periods[v->per], slot->s->label, wanted[slot->s->per]);
		return true;
	default:
		return false;
	}
}

static void add_request(struct saying *s)
{
	const struct form_slot_settings *slot = s->form->slots[s->step->requested].s;
	bool missed = s->step->missed && s->step->skipped < 0;

	if (missed && s->state->requested == s->step->requested && add_doubt(s, s->step->requested))
		return;
	pl_buf_adds(&s->out, missed && slot->retry[0] != '\0' && !s->step->denied ? slot->retry : slot->ask);
}

struct pl_str form_reply(
    const struct form *form, struct pl_pool *pool, const struct form_state *state, const struct form_step *step)
{
	struct saying s = {.form = form, .pool = pool, .state = state, .step = step, .out = PL_BUF(pool)};

	add_noted(&s, true);
	add_noted(&s, false);
	add_same(&s);
	if (step->clears)
		add_cleared(&s);
	if (step->skipped >= 0 && step->over == FORM_GOES_ON)
		pl_buf_addf(&s.out, "Let us leave out the %s. ", form->slots[step->skipped].s->label);
	if (step->disputed)
		add_known(&s, "What should I change? So far I have: ", ".");
	else if (step->pending >= 0)
		add_proposal(&s);
	else if (step->requested >= 0)
		add_request(&s);
	else if (step->confirming)
		add_summary(&s);
	else
		add_ending(&s);
	return pl_str_trim(pl_buf_str(&s.out));
}

bool form_only_asks(const struct form_step *step)
{
	bool any = false;

	for (int i = 0; i < FORM_SLOTS_MAX; i++)
		any = any || step->same[i] || step->value[i].ptr != NULL;
	return step->question && !any && !step->clears && step->requested >= 0 && step->pending < 0 &&
	    !step->disputed && !step->denied && step->reopened < 0 && step->skipped < 0 && !step->missed;
}

struct pl_str form_greeting(const struct form *form, uint32_t pick)
{
	struct pl_str rest = pl_str(form->greeting), part = rest;
	uint32_t count = 0, at = 0;

	for (const char *p = form->greeting; *p != '\0'; p++)
		count += *p == '|';
	pick %= count + 1;
	while (pl_str_cut(&rest, '|', &part) && at++ < pick)
		;
	return pl_str_trim(part);
}

/* SPDX-License-Identifier: ISC */
/*
 * One step of a form: what a message fills, corrects or asks, and what the form says to it.
 */
#include "svc/session/form.h"

#include <ctype.h>

#define GROUPS (FORM_GROUP_MAX + 1)
#define CANCEL_WORDS_MAX 5
#define ASIDE_WORDS_MIN 6

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

/* No required slot is empty, at least one has a value, and the form was not ended before. */
static bool is_complete(const struct form *form, const struct form_state *state)
{
	bool any = false;

	for (int i = 0; i < form->count; i++)
		any = any || state->filled[i];
	return any && state->over == FORM_GOES_ON && form_next(form, state) < 0;
}

/* ---- reading a message ---- */

/* Group `group` of a match. Absent: no match, or that group took no part. */
static struct pl_str match(const regex_t *re, int64_t group, const char *text)
{
	regmatch_t at[GROUPS];

	if (regexec(re, text, GROUPS, at, 0) != 0 || at[group].rm_so < 0)
		return PL_STR_NONE;
	return pl_strn(text + at[group].rm_so, (size_t)(at[group].rm_eo - at[group].rm_so));
}

static bool offer(const struct form_slot *slot, struct pl_pool *pool, struct pl_str raw, struct form_step *step, int i)
{
	struct pl_str value = raw.ptr != NULL ? form_value(slot, pool, raw) : PL_STR_NONE;

	if (value.ptr == NULL)
		return false;
	step->value[i] = value;
	step->raw[i] = pl_str_trim(raw);
	return true;
}

static int count_words(struct pl_str text)
{
	int words = text.len > 0;

	for (size_t i = 1; i < text.len; i++)
		words += text.ptr[i] == ' ' && text.ptr[i - 1] != ' ';
	return words;
}

static bool is_question(struct pl_str text)
{
	static const char *const firsts[] = { "what", "who", "why", "how", "when", "where", "which", "can", "could",
		"do", "does", "is", "are", "should", "will", "would", "tell", "explain", "show", "help", "describe",
		    "what's", "who's" };
	const struct pl_list starts = { firsts, PL_COUNT(firsts) };
	size_t end = 0;

	if (memchr(text.ptr, '?', text.len) != NULL && count_words(text) > 2)
		return true;	/* but "80k?" is an answer that is not sure of itself */
	while (end < text.len && (isalpha((unsigned char)text.ptr[end]) || text.ptr[end] == '\''))
		end++;
	return form_has_word(pl_strn(text.ptr, end), &starts);
}

/* The text behind the last "to", "is" or ":". */
static struct pl_str behind_mark(struct pl_str text)
{
	static const char *const marks[] = { " to ", " is ", ": ", "'s " };
	struct pl_str best = PL_STR_NONE;

	for (size_t m = 0; m < PL_COUNT(marks); m++) {
		size_t len = strlen(marks[m]);

		for (size_t i = 0; i + len <= text.len; i++)
			if (strncasecmp(text.ptr + i, marks[m], len) == 0 &&
			    (best.ptr == NULL || text.ptr + i + len > best.ptr))
				best = pl_strn(text.ptr + i + len, text.len - i - len);
	}
	return best;
}

static bool names_slot(const struct form_slot *slot, struct pl_str text)
{
	const struct pl_list own = { &slot->name, 1 };

	return form_has_word(text, slot->s->words.count > 0 ? &slot->s->words : &own);
}

/* "Change my name to Bob": a slot is named, with a word that announces a correction. */
static void take_corrections(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    struct pl_str text, struct form_step *step)
{
	if (!form_has_word(text, &form->correct))
		return;
	for (int i = 0; i < form->count; i++) {
		if (!state->filled[i] || step->value[i].ptr != NULL || !names_slot(&form->slots[i], text))
			continue;
		if (!offer(&form->slots[i], pool, behind_mark(text), step, i) && step->reopened < 0)
			step->reopened = i;
	}
}

/* "Stop", "please cancel this": a short message, for in a long one the word may mean anything. */
static bool cancels(const struct form *form, const struct form_state *state, struct pl_str text,
    const struct form_step *step)
{
	bool asking = state->requested >= 0 || (state->over == FORM_GOES_ON && form_next(form, state) >= 0);

	return asking && !step->question && count_words(text) <= CANCEL_WORDS_MAX &&
	    form_has_word(text, &form->cancel) && !form_has_word(text, &form->correct);
}

static int count_found(const struct form *form, const struct form_step *step)
{
	int n = 0;

	for (int i = 0; i < form->count; i++)
		n += step->value[i].ptr != NULL;
	return n;
}

/*
 * Small talk, or a sentence about something else: answered, and asked again. What may hide a sensitive value is not
 * taken for a sentence, because it would be stored and sent to a model as it is.
 */
static bool is_aside(const struct form *form, int asked, struct pl_str text)
{
	size_t end = 0;
	int words = count_words(text);

	while (end < text.len && isalpha((unsigned char)text.ptr[end]))
		end++;
	if (form_has_word(pl_strn(text.ptr, end), &form->aside))
		return words == 1 || !form->slots[asked].s->sensitive;
	return words >= ASIDE_WORDS_MIN && !form->slots[asked].s->sensitive;
}

void form_take(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step)
{
	int asked = state->requested;

	*step = (struct form_step){ .reopened = -1, .requested = -1, .skipped = -1 };
	text = pl_str_trim(pl_str_dup(pool, pl_strn(text.ptr, pl_utf8_cut(text.ptr, text.len, FORM_TEXT_MAX))));
	text = pl_str_dup(pool, text);
	step->question = is_question(text);
	step->cancelled = cancels(form, state, text, step);
	if (step->cancelled)
		return;
	for (int i = 0; i < form->count; i++) /* a form that is over takes corrections only */
		if (form->slots[i].s->find[0] != '\0' && (state->over == FORM_GOES_ON || i == asked))
			(void)offer(&form->slots[i], pool, match(&form->slots[i].find, form->slots[i].s->find_group,
			    text.ptr), step, i);
	take_corrections(form, pool, state, text, step);
	if (asked < 0 || step->value[asked].ptr != NULL || step->reopened >= 0)
		return;
	step->weak[asked] = form->slots[asked].s->answer[0] != '\0' &&
	    offer(&form->slots[asked], pool, match(&form->slots[asked].answer, form->slots[asked].s->answer_group,
	    text.ptr), step, asked);
	if (!step->weak[asked] && form->slots[asked].s->whole && !step->question && count_found(form, step) == 0)
		step->weak[asked] = offer(&form->slots[asked], pool, text, step, asked);
	if (step->weak[asked] && step->question) {
		/* "how much is 1 + 1?" is no income */
		step->value[asked] = step->raw[asked] = PL_STR_NONE;
		step->weak[asked] = false;
	}
	if (count_found(form, step) == 0 && !step->question)
		step->question = step->aside = is_aside(form, asked, text);
}

/* ---- a model's structured answer ---- */

struct pl_str form_prompt(const struct form *form, struct pl_pool *pool, const struct form_state *state)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_adds(&out, "Extract form values from the user's message. Reply with one JSON object and nothing else: "
	    "{\"slots\": {NAME: TEXT, ...}, \"question\": true or false}. Copy each value exactly as it is written in "
	    "the message. "
	    "Leave out slots that the message does not give. question: the message asks something that wants an "
	    "answer. Slots:\n");
	for (int i = 0; i < form->count; i++)
		pl_buf_addf(&out, "- %s: %s. The form asks: %s%s\n", form->slots[i].name, form->slots[i].s->label,
		    form->slots[i].s->ask, state->requested == i ? " (asked just now)" : "");
	return pl_buf_str(&out);
}

bool form_take_model(const struct form *form, struct pl_pool *pool, struct pl_str answer, struct pl_str text,
    struct form_step *step)
{
	const char *from = answer.len > 0 ? memchr(answer.ptr, '{', answer.len) : NULL;
	const char *to = from != NULL ? memrchr(from, '}', (size_t)(answer.ptr + answer.len - from)) : NULL;
	const struct pl_jval *json, *slots, *question;
	struct pl_err err = { 0 };

	if (to == NULL || (json = pl_json_parse(pool, pl_strn(from, (size_t)(to - from) + 1), &err)) == NULL ||
	    (slots = pl_json_get(json, "slots")) == NULL || slots->type != PL_J_OBJECT)
		return false;
	question = pl_json_get(json, "question");
	if (question != NULL && question->type == PL_J_BOOL)
		step->question = question->truth;
	for (int i = 0; i < form->count; i++)
		if (step->weak[i]) /* the model has read it too, and better */
			step->value[i] = step->raw[i] = PL_STR_NONE;
	for (const struct pl_jval *v = slots->first; v != NULL; v = v->next) {
		int i = form_slot_find(form, v->key);
		struct pl_str raw = v->type == PL_J_STRING || v->type == PL_J_NUMBER ? v->text : PL_STR_NONE;

		/* what is not in the message was made up */
		if (i >= 0 && raw.len > 0 && memmem(text.ptr, text.len, raw.ptr, raw.len) != NULL)
			(void)offer(&form->slots[i], pool, raw, step, i);
	}
	if (question == NULL && step->aside && count_found(form, step) > 0)
		step->question = false;
	return true;
}

/* ---- the outcome ---- */

/* The slot that was asked for was missed once too often. */
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
	else if (form_next(form, after) < 0 && !is_complete(form, after))
		after->over = FORM_CANCELLED;	/* nothing came of it at all */
}

void form_finish(const struct form *form, const struct form_state *state, struct form_step *step)
{
	struct form_state after = *state;
	int asked = state->requested;

	for (int i = 0; i < form->count; i++)
		after.filled[i] = state->filled[i] || step->value[i].ptr != NULL;
	step->found = count_found(form, step);
	step->missed = asked >= 0 && step->found == 0 && !step->question && step->reopened < 0 && !step->cancelled;
	if (step->missed) {
		after.tries[asked]++;
		give_up(form, state, step, &after);
	}
	if (step->cancelled && form_next(form, state) >= 0)
		after.over = FORM_CANCELLED;
	memcpy(step->tries, after.tries, sizeof(step->tries));
	step->over = after.over;
	step->complete = is_complete(form, &after);
	step->requested = after.over == FORM_GOES_ON ? form_next(form, &after) : -1;
	if (step->reopened >= 0)
		step->requested = step->reopened;
	else if (asked >= 0 && step->value[asked].ptr == NULL && state->filled[asked] && !step->found &&
	    !step->cancelled && step->skipped < 0)
		step->requested = asked; /* a correction that is still owed */
}

static void add_noted(const struct form *form, const struct form_state *state, const struct form_step *step, bool again,
    struct pl_buf *out)
{
	int n = 0;

	for (int i = 0; i < form->count; i++) {
		if (step->value[i].ptr == NULL || state->filled[i] != again)
			continue;
		pl_buf_adds(out, n++ > 0 ? "; " : again ? "Corrected: " : "Noted: ");
		if (form->slots[i].s->sensitive)
			pl_buf_addf(out, "%s (kept sealed)", form->slots[i].s->label);
		else
			pl_buf_addf(out, "%s %.*s", form->slots[i].s->label, PL_FMT(step->value[i]));
	}
	pl_buf_adds(out, n > 0 ? ". " : "");
}

static const char *or_else(const char *text, const char *usual)
{
	return text[0] != '\0' ? text : usual;
}

static void add_ending(const struct form *form, const struct form_state *state, const struct form_step *step,
    struct pl_buf *out)
{
	if (step->over == FORM_HANDED_OVER && state->over != step->over)
		pl_buf_adds(out,
		    or_else(form->handed_over, "I do not get on with this; a person can see what you told me."));
	else if (step->cancelled || (step->over == FORM_CANCELLED && state->over != step->over))
		pl_buf_adds(out,
		    or_else(form->cancelled, "All right, I do not ask any further. What else can I do for you?"));
	else if (step->complete && !is_complete(form, state))
		pl_buf_adds(out, form->thanks);
}

struct pl_str form_reply(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step)
{
	struct pl_buf out = PL_BUF(pool);

	add_noted(form, state, step, true, &out);
	add_noted(form, state, step, false, &out);
	if (step->skipped >= 0 && step->over == FORM_GOES_ON)
		pl_buf_addf(&out, "Let us leave out the %s. ", form->slots[step->skipped].s->label);
	if (step->requested >= 0) {
		const struct form_slot_settings *s = form->slots[step->requested].s;

		pl_buf_adds(&out, step->missed && step->skipped < 0 && s->retry[0] != '\0' ? s->retry : s->ask);
	} else {
		add_ending(form, state, step, &out);
	}
	return pl_str_trim(pl_buf_str(&out));
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

/* SPDX-License-Identifier: ISC */
/*
 * The effect of a message on a form: values that the reader and the form's patterns find, a yes or no to a proposal,
 * corrections, and whether the message itself is a question.
 */
#include <ctype.h>

#include "svc/session/form.h"
#include "tongue.h"

#define GROUPS (FORM_GROUP_MAX + 1)
#define CANCEL_WORDS_MAX 8
#define ASIDE_WORDS_MIN 6
#define REOPEN_WORDS_MAX 12

struct taking {
	const struct form *form;
	struct pl_pool *pool;
	const struct form_state *state;
	struct pl_str text;
	struct read_message *m;
	struct form_step *step;
};

static bool offer(const struct taking *t, int i, struct pl_str value, struct pl_str raw)
{
	struct pl_str checked = value.ptr != NULL ? form_value(&t->form->slots[i], t->pool, value) : PL_STR_NONE;

	if (checked.ptr == NULL)
		return false;
	t->step->value[i] = checked;
	t->step->raw[i] = pl_str_trim(raw);
	return true;
}

/* Proposes the value and waits for a yes. The requested slot comes first. */
static void propose(const struct taking *t, int i, struct pl_str value, struct pl_str raw)
{
	struct pl_str checked = form_value(&t->form->slots[i], t->pool, value);

	if (checked.ptr == NULL || (t->step->pending >= 0 && t->state->requested != i))
		return;
	t->step->pending = i;
	t->step->pending_value = checked;
	t->step->pending_raw = pl_str_trim(raw);
}

static int count_found(const struct taking *t)
{
	int n = 0;

	for (int i = 0; i < t->form->count; i++)
		n += t->step->value[i].ptr != NULL;
	return n;
}

/* ---- values of the reader ---- */

/* A value that was not requested, without a sentence that names the slot. */
static void take_bare(const struct taking *t, int i, bool accompanied)
{
	const struct read_value *v = &t->step->read[i];
	int normal = t->form->slots[i].s->normal;
	struct read_want want = form_want(t->form, t->state, i);
	bool left = read_has_left(t->m), open = !t->state->filled[i];
	bool denied = !open && read_denies(t->m) && read_names(t->m, &want); /* "that's not my name, it's .." */

	if ((v->correction || denied) && !open) {
		if (v->verdict == READ_SURE && v->explicit)
			(void)offer(t, i, v->value, v->raw);
		else
			propose(t, i, v->value, v->raw);
	} else if (left || v->verdict != READ_SURE || normal == FORM_NAME) {
		return;
	} else if (normal == FORM_AMOUNT) {
		if (open && accompanied)
			propose(t, i, v->value, v->raw);
	} else if (normal != FORM_EMAIL) {
		if (open && t->state->requested < 0 && !accompanied)
			propose(t, i, v->value, v->raw);
	} else if (open && (accompanied || t->state->over != FORM_GOES_ON || form_next(t->form, t->state) < 0)) {
		(void)offer(t, i, v->value, v->raw);
	} else {
		propose(t, i, v->value, v->raw);
	}
}

/* "Anne, not Ann": the noted value is denied, so the other one replaces it. */
static bool replaces(const struct taking *t, int i)
{
	const struct read_value *v = &t->step->read[i];

	return v->correction && v->verdict == READ_SURE && t->state->filled[i] && read_denies(t->m);
}

static bool is_own(const struct taking *t, int i)
{
	return t->step->read[i].explicit || t->state->requested == i || t->state->pending == i || replaces(t, i);
}

static void take_read(const struct taking *t, int i)
{
	const struct read_value *v = &t->step->read[i];

	if (!is_own(t, i))
		return;
	if (v->verdict == READ_SURE)
		(void)offer(t, i, v->value, v->raw);
	else if (v->verdict == READ_UNSURE &&
	    !(t->form->slots[i].s->normal == FORM_NAME && !v->explicit && (read_talks(t->m) || read_refuses(t->m))))
		propose(t, i, v->value, v->raw);
}

static void take_all_read(const struct taking *t)
{
	struct read_want wants[FORM_SLOTS_MAX] = {{.says = ""}};
	struct read_value values[FORM_SLOTS_MAX] = {{.verdict = READ_NOTHING}};
	int slots[FORM_SLOTS_MAX], count = 0;
	bool accompanied;

	for (int i = 0; i < t->form->count; i++)
		if (form_is_read(&t->form->slots[i])) {
			wants[count] = form_want(t->form, t->state, i);
			slots[count++] = i;
		}
	read_values(t->m, wants, count, values);
	for (int i = 0; i < count; i++) {
		t->step->read[slots[i]] = values[i];
		take_read(t, slots[i]);
	}
	accompanied = count_found(t) > 0;
	for (int i = 0; i < count; i++)
		if (!is_own(t, slots[i]) && values[i].verdict != READ_NOTHING)
			take_bare(t, slots[i], accompanied);
}

/* Is the value that was proposed for another slot a part of this one? */
static bool is_piece(const struct taking *t, struct pl_str raw)
{
	const struct pl_str piece = t->step->pending_raw;

	return t->step->pending >= 0 && piece.len > 0 && piece.len < raw.len &&
	    memmem(raw.ptr, raw.len, piece.ptr, piece.len) != NULL;
}

/* For a mistyped address, proposes the probable one. If the user repeats it as before, it is taken as written. */
static void take_mistyped(const struct taking *t)
{
	for (int i = 0; i < t->form->count; i++) {
		struct read_want want = form_want(t->form, t->state, i);
		const struct read_value *v = &t->step->read[i];
		struct pl_str raw, value;

		if (want.kind != READ_EMAIL || !form_is_read(&t->form->slots[i]) || t->step->value[i].ptr != NULL ||
		    t->step->question || read_denies(t->m) || v->verdict == READ_SEVERAL || v->verdict == READ_SURE)
			continue;
		value = read_mistyped(t->pool, t->text, &raw);
		if (value.ptr == NULL || (t->state->pending == i && v->verdict == READ_UNSURE &&
		    pl_str_eq(t->state->pending_value, value)))
			continue;
		if (is_piece(t, raw))
			t->step->pending = -1;
		else if (!want.asked && !read_names(t->m, &want))
			continue;
		propose(t, i, value, raw);
		t->step->mistyped = t->step->pending == i && pl_str_eq(t->step->pending_value, value);
	}
}

/* ---- patterns of the form ---- */

/* Returns group `group` of a match. Absent: no match, or the group is not part of it. */
static struct pl_str match(const regex_t *re, int64_t group, const char *text)
{
	regmatch_t at[GROUPS];

	if (regexec(re, text, GROUPS, at, 0) != 0 || at[group].rm_so < 0)
		return PL_STR_NONE;
	return pl_strn(text + at[group].rm_so, (size_t)(at[group].rm_eo - at[group].rm_so));
}

static void take_patterns(const struct taking *t)
{
	int asked = t->state->requested;
	const struct form_slot *slot = asked >= 0 ? &t->form->slots[asked] : NULL;

	for (int i = 0; i < t->form->count; i++) { /* a form that is over accepts corrections only */
		const struct form_slot *s = &t->form->slots[i];
		struct pl_str raw = s->s->find[0] != '\0' && (t->state->over == FORM_GOES_ON || i == asked)
		    ? match(&s->find, s->s->find_group, t->text.ptr)
		    : PL_STR_NONE;

		if (!form_is_read(s))
			(void)offer(t, i, raw, raw);
	}
	if (slot == NULL || form_is_read(slot) || t->step->value[asked].ptr != NULL || t->step->question)
		return;
	if (slot->s->answer[0] != '\0') {
		struct pl_str raw = match(&slot->answer, slot->s->answer_group, t->text.ptr);

		t->step->weak[asked] = offer(t, asked, raw, raw);
	}
	if (!t->step->weak[asked] && slot->s->whole && count_found(t) == 0 && t->step->pending < 0 &&
	    !read_refuses(t->m))
		t->step->weak[asked] = offer(t, asked, t->text, t->text);
}

/* ---- corrections ---- */

/* Returns the text after the last "to", "is", or ":". */
static struct pl_str behind_mark(struct pl_str text)
{
	static const char *const marks[] = {" to ", " is ", ": ", "'s "};
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

/* "Change my city to Rome" sets a text; after "my email is wrong", the form asks for it again. */
static void take_corrections(const struct taking *t)
{
	if (!form_has_word(t->text, &t->form->correct) || read_words(t->m) > REOPEN_WORDS_MAX)
		return;
	for (int i = 0; i < t->form->count; i++) {
		struct read_want want = form_want(t->form, t->state, i);
		struct pl_str raw = form_is_read(&t->form->slots[i]) ? PL_STR_NONE : behind_mark(t->text);

		if (!t->state->filled[i] || t->step->value[i].ptr != NULL || t->step->pending == i ||
		    !read_names(t->m, &want))
			continue;
		if (!offer(t, i, raw, raw) && t->step->reopened < 0)
			t->step->reopened = i;
	}
}

/* ---- kinds of messages ---- */

/* "Stop" and "please cancel this" cancel the form; "cancel my order" does not. */
static bool cancels(const struct taking *t)
{
	const struct form_state *state = t->state;
	bool asking = state->requested >= 0 || (state->over == FORM_GOES_ON && !state->complete);

	return asking && !t->step->question && read_words(t->m) <= CANCEL_WORDS_MAX &&
	    !form_has_word(t->text, &t->form->correct) && read_only(t->m, t->form->cancel.items, t->form->cancel.count);
}

static bool has_digit(struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (isdigit((unsigned char)text.ptr[i]))
			return true;
	return false;
}

/*
 * Small talk, or a sentence about something else or in another language: it is answered, and the form asks again. Text
 * that may hide a sensitive value does not count as such a sentence, because it would be stored and sent to a model
 * unmasked.
 */
static bool is_aside(const struct taking *t)
{
	const struct form_slot *slot = &t->form->slots[t->state->requested];
	bool may_hide =
	    slot->s->sensitive && (slot->s->normal != FORM_AMOUNT ||
	    ((has_digit(t->text) || read_has_amount(t->m)) && !read_tells(t->m)));
	int words = read_words(t->m);
	size_t end = 0;

	if (read_refuses(t->m) || t->step->read[t->state->requested].verdict != READ_NOTHING)
		return false;
	while (end < t->text.len && isalpha((unsigned char)t->text.ptr[end]))
		end++;
	if (form_has_word(pl_strn(t->text.ptr, end), &t->form->aside))
		return words == 1 || !may_hide;
	if (slot->s->sensitive && slot->s->normal != FORM_AMOUNT)
		return false;
	return (words >= ASIDE_WORDS_MIN || read_talks(t->m) || pl_tongue_of(t->text) != PL_TONGUE_NONE) && !may_hide;
}

/* Takes a yes or no to what was proposed or shown. true: the message contains nothing else. */
static bool take_answer(const struct taking *t)
{
	const struct form_state *state = t->state;
	bool shown =
	    form_next(t->form, state) < 0 && state->over == FORM_GOES_ON && !state->complete && t->form->confirm;

	if (state->pending < 0 && !shown)
		return false;
	if (read_no(t->m)) {
		t->step->denied = true;
	} else if (read_yes(t->m)) {
		if (state->pending >= 0)
			(void)offer(t, state->pending, state->pending_value, state->pending_raw);
		else
			t->step->confirmed = true;
	} else {
		return false;
	}
	return true;
}

/* "No, that's wrong" without a proposal: it is about the noted values. */
static bool disputes(const struct taking *t)
{
	static const char *const wrong[] = {"wrong", "incorrect", "mistake", "right", "correct", "false"};
	const struct pl_list words = {(const char **)(uintptr_t)wrong, PL_COUNT(wrong)};
	bool any = false;

	for (int i = 0; i < t->form->count; i++)
		any = any || t->state->filled[i];
	return any && t->state->pending < 0 && read_no(t->m) && form_has_word(t->text, &words);
}

static void take_values(const struct taking *t)
{
	take_all_read(t);
	take_mistyped(t);
	take_patterns(t);
	take_corrections(t);
	if (t->state->requested >= 0 && count_found(t) == 0 && t->step->pending < 0 && t->step->reopened < 0 &&
	    !t->step->question)
		t->step->question = t->step->aside = is_aside(t);
	/* a question in between does not cancel the proposal */
	if (t->state->pending >= 0 && t->step->pending < 0 && t->step->question &&
	    t->step->value[t->state->pending].ptr == NULL) {
		t->step->pending = t->state->pending;
		t->step->pending_value = t->state->pending_value;
		t->step->pending_raw = t->state->pending_raw;
	}
	if (t->step->pending >= 0 && t->step->value[t->step->pending].ptr != NULL)
		t->step->pending = -1;
	t->step->mistyped = t->step->mistyped && t->step->pending >= 0;
}

void form_take(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step)
{
	struct taking t = {.form = form, .pool = pool, .state = state, .step = step};

	*step = (struct form_step){.reopened = -1, .requested = -1, .skipped = -1, .pending = -1};
	t.text = pl_str_dup(pool, pl_str_trim(text));
	t.m = read_message(pool, t.text);
	if (t.m == NULL) { /* too long for a form: no value is taken */
		step->question = step->aside = true;
		return;
	}
	step->question = read_asks(t.m);
	if (form_clears(form, pool, state, t.text, step)) {
		step->question = false;
		return;
	}
	step->cancelled = cancels(&t);
	if (step->cancelled || take_answer(&t))
		return;
	step->disputed = disputes(&t);
	if (!step->disputed)
		take_values(&t);
}

/* ---- structured answers of models ---- */

/* Takes one value of the model. The message must contain it as whole words, and it must pass the same checks. */
static void take_from_model(const struct taking *t, int i, struct pl_str raw)
{
	struct read_want want = form_want(t->form, t->state, i);
	struct form_step *step = t->step;
	struct read_value v;
	bool own;

	if (!form_is_read(&t->form->slots[i])) {
		if (memmem(t->text.ptr, t->text.len, raw.ptr, raw.len) != NULL) /* otherwise the model made it up */
			(void)offer(t, i, raw, raw);
		return;
	}
	if ((step->mistyped && step->pending == i) || read_check(t->m, &want, raw, &v) == READ_NOTHING)
		return;
	/* not requested: the reader must find a sentence that names the slot */
	own = want.asked || (step->read[i].explicit && step->read[i].verdict != READ_NOTHING);
	if (!own || step->read[i].verdict == READ_RANGE || step->read[i].verdict == READ_RATE)
		return;
	if (step->value[i].ptr != NULL && pl_str_ieq(step->value[i], v.value))
		return;
	if (v.verdict == READ_SURE && step->read[i].verdict != READ_SEVERAL && offer(t, i, v.value, v.raw)) {
		step->pending = step->pending == i ? -1 : step->pending;
	} else if (step->value[i].ptr == NULL) {
		propose(t, i, v.value, v.raw);
	}
}

bool form_take_model(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    struct pl_str answer, struct pl_str text, struct form_step *step)
{
	const char *from = answer.len > 0 ? memchr(answer.ptr, '{', answer.len) : NULL;
	const char *to = from != NULL ? memrchr(from, '}', (size_t)(answer.ptr + answer.len - from)) : NULL;
	struct taking t = {
	    .form = form, .pool = pool, .state = state, .step = step, .text = pl_str_dup(pool, pl_str_trim(text))};
	const struct pl_jval *json, *slots, *question;
	struct pl_err err = {0};
	bool asks, answers;

	if (to == NULL || (json = pl_json_parse(pool, pl_strn(from, (size_t)(to - from) + 1), &err)) == NULL ||
	    (slots = pl_json_get(json, "slots")) == NULL || slots->type != PL_J_OBJECT ||
	    (t.m = read_message(pool, t.text)) == NULL)
		return false;
	question = pl_json_get(json, "question");
	for (int i = 0; i < form->count; i++)
		if (step->weak[i]) /* the model has read it, too, and is more reliable */
			step->value[i] = step->raw[i] = PL_STR_NONE;
	for (const struct pl_jval *v = slots->first; v != NULL; v = v->next) {
		int i = form_slot_find(form, v->key);
		struct pl_str raw =
		    v->type == PL_J_STRING || v->type == PL_J_NUMBER ? pl_str_trim(v->text) : PL_STR_NONE;

		if (i >= 0 && raw.len > 0)
			take_from_model(&t, i, raw);
	}
	asks = question != NULL && question->type == PL_J_BOOL && question->truth;
	answers = count_found(&t) > 0 || (step->pending >= 0 && step->pending_value.ptr != state->pending_value.ptr);
	step->mistyped = step->mistyped && step->pending >= 0;
	if (step->denied || step->confirmed || step->disputed)
		return true;
	/* "no question" does not turn a complaint into an invalid answer */
	if (asks || (answers && (step->aside || question != NULL)))
		step->question = asks;
	return true;
}

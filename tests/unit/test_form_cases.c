/* SPDX-License-Identifier: ISC */
/*
 * Messages that people type into a form, and what may be stored of them. Each message is read without a model, with a
 * model that copies everything that looks like a value, and with one that answers correctly. A value that is not in the
 * row is a failure; a value in the row that the form asks back is only counted.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "svc/session/form.h"

Suite *suite_form_cases(void);

enum { NAME, EMAIL, INCOME, BORN, PHONE, SLOTS, NONE = -1 };
#define AT_ONCE_MIN 80 /* percent of the valid ones */
#define INPUTS_MIN 300

static const char definition[] =
    "title = All kinds\ngreeting = Hello.\nthanks = Thanks.\n"
    "correct = actually correction correct change changed wrong instead rather update fix mistake mistyped meant\n"
    "cancel = cancel stop quit abort\naside = hello hi hey good thanks\n"
    "[slot name]\nlabel = name\nask = What is your name?\nnormalise = name\nmin = 1\nmax = 80\n"
    "[slot email]\nlabel = e-mail address\nwords = email e-mail mail address\nask = What is your e-mail address?\n"
    "normalise = email\nmin = 6\nmax = 254\n"
    "[slot income]\nlabel = income\nwords = income salary earnings wage wages pay\nask = What is your yearly income?\n"
    "normalise = amount\nper = year\nsays = I _ earn | I _ make | I _ get paid | I am _ paid | I'm _ paid | I'm _ "
    "making\n"
    "min = 0\nmax = 1000000000\nsensitive = on\n"
    "[slot born]\nlabel = birthday\nwords = birthday birth\nask = When were you born?\nnormalise = date\n"
    "says = I was born on | I was born | I am born on | born on | born\n"
    "[slot phone]\nlabel = telephone number\nwords = phone telephone mobile number cell\nask = What is your number?\n"
    "normalise = phone\n";

struct input {
	const char *text, *value;
}; /* value NULL: none */
struct group {
	const char *what;
	int asked;
	const struct input *inputs;
};

#include "form_cases.h"
#include "form_cases_values.h"
#include "form_cases_kinds.h"

static const struct group groups[] = {{"names", NAME, names}, {"not names", NAME, not_names},
    {"addresses", EMAIL, addresses}, {"amounts", INCOME, amounts}, {"nobody asked", NONE, unasked},
    {"dates", BORN, dates}, {"phones", PHONE, phones}};

static struct form *form;
static struct pl_pool *pool;

static void setup(void)
{
	char path[] = "/tmp/parlour-form-XXXXXX", why[512];
	int fd = mkstemp(path);

	ck_assert(fd >= 0 && write(fd, definition, sizeof(definition) - 1) == sizeof(definition) - 1);
	form = form_read(path, "all", why);
	ck_assert_msg(form != NULL, "%s", why);
	close(fd);
	unlink(path);
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	form_release(&form);
	pl_pool_free(&pool);
}

/* ---- models ---- */

static void add_slot(struct pl_jw *w, const char *name, struct pl_str value)
{
	if (value.len > 0)
		pl_jw_kstr(w, name, value);
}

/* The first run of characters of a set that has one of `must`. */
static struct pl_str run_of(const char *text, const char *set, const char *must)
{
	while (*text != '\0') {
		size_t len = strspn(text, set);

		if (len > 0 && strcspn(text, must) < len)
			return pl_strn(text, len);
		text += len > 0 ? len : 1;
	}
	return PL_STR_NONE;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Copies everything that looks like a value, from anywhere. words: number of words in a name; 0: the whole message. */
static struct pl_str greedy(const char *text, int words)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);
	struct pl_str name = words == 0 ? pl_str(text) : run_of(text, words > 1 ? LETTERS " " : LETTERS, LETTERS);

	pl_jw_object(&w);
	pl_jw_key(&w, "slots");
	pl_jw_object(&w);
	add_slot(&w, "name", pl_str_trim(name));
	add_slot(&w, "email", run_of(text, LETTERS DIGITS ".@-", "@"));
	add_slot(&w, "income", words == 0 ? pl_str(text) : run_of(text, words > 1 ? DIGITS ".,' k" : DIGITS, DIGITS));
	add_slot(&w, "born", run_of(text, DIGITS ".-/", DIGITS));
	add_slot(&w, "phone", run_of(text, DIGITS "-+ ", DIGITS));
	pl_jw_end_object(&w);
	pl_jw_kbool(&w, "question", false);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

/* Returns the value as the reader read it, or the whole message. */
static struct pl_str exact(const struct form_step *step, int asked, const struct input *in)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_key(&w, "slots");
	pl_jw_object(&w);
	if (in->value != NULL && asked >= 0)
		add_slot(&w, form->slots[asked].name,
		    step->read[asked].raw.len > 0 ? step->read[asked].raw : pl_str(in->text));
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

enum { ALONE, GREEDY_ALL, GREEDY_WORD, GREEDY_WORDS, EXACT, MODES };

static struct form_step step_of(int mode, int asked, const struct input *in)
{
	struct form_state state = {.requested = asked, .pending = -1};
	struct form_step step;
	struct pl_str answer = PL_STR_NONE;

	form_take(form, pool, &state, pl_str(in->text), &step);
	if (mode == EXACT)
		answer = exact(&step, asked, in);
	else if (mode != ALONE)
		answer = greedy(in->text, mode == GREEDY_ALL ? 0 : mode == GREEDY_WORD ? 1 : 9);
	if (mode != ALONE && !step.cancelled)
		(void)form_take_model(form, pool, &state, answer, pl_str(in->text), &step);
	form_finish(form, &state, &step);
	return step;
}

/* ---- the tables ---- */

struct totals {
	int inputs, valid, at_once, wrong;
};

/* The part of `value` for the slot: "name=Ann Lee;email=a@b.co", or a value for the requested slot. */
static struct pl_str expected(const char *value, int slot, int asked)
{
	struct pl_str rest = pl_str(value), part, key;

	if (value == NULL)
		return PL_STR_NONE;
	if (strncmp(value, "name=", 5) != 0 && strncmp(value, "email=", 6) != 0 && strncmp(value, "income=", 7) != 0 &&
	    strncmp(value, "born=", 5) != 0 && strncmp(value, "phone=", 6) != 0)
		return slot == asked ? rest : PL_STR_NONE;
	while (pl_str_cut(&rest, ';', &part))
		if (pl_str_cut(&part, '=', &key) && pl_str_is(key, form->slots[slot].name))
			return part;
	return PL_STR_NONE;
}

static void look_at(const struct group *g, const struct input *in, int mode, struct totals *totals)
{
	struct form_step step = step_of(mode, g->asked, in);
	bool all = true;

	for (int i = 0; i < SLOTS; i++) {
		struct pl_str want = expected(in->value, i, g->asked);

		if (step.value[i].ptr != NULL && !pl_str_eq(step.value[i], want)) {
			printf("WRONG (%s, model %d): \"%s\" gave %s \"%.*s\"\n", g->what, mode, in->text,
			    form->slots[i].name, PL_FMT(step.value[i]));
			totals->wrong++;
		}
		all = all && (want.ptr == NULL || step.value[i].ptr != NULL);
	}
	totals->inputs++;
	if (in->value == NULL)
		return;
	totals->valid++;
	totals->at_once += all;
	if (!all && mode == ALONE && getenv("FORM_CASES_SHOW") != NULL)
		printf("asked back (%s): \"%s\": %.*s\n", g->what, in->text, PL_FMT(step.pending_value));
}

START_TEST(test_inputs)
{
	static const char *const modes[MODES] = {"no model", "a model that copies all", "a model that copies a word",
	    "a model that copies words", "a model that answers right"};
	int wrong = 0;

	for (int mode = 0; mode < MODES; mode++) {
		struct totals totals = {0};

		for (size_t i = 0; i < PL_COUNT(groups); i++)
			for (const struct input *in = groups[i].inputs; in->text != NULL; in++)
				look_at(&groups[i], in, mode, &totals);
		printf("form inputs with %s: %d, wrong values: %d, taken at once: %d of %d valid ones (%d %%)\n",
		    modes[mode], totals.inputs, totals.wrong, totals.at_once, totals.valid,
		    totals.at_once * 100 / totals.valid);
		wrong += totals.wrong;
		ck_assert_int_ge(totals.inputs, INPUTS_MIN);
		ck_assert_int_ge(totals.at_once * 100, totals.valid * AT_ONCE_MIN);
	}
	ck_assert_int_eq(wrong, 0);
}
END_TEST

/* One case per kind: what is stored, and what is asked back. */
START_TEST(test_kind)
{
	const struct kind_case *k = &kinds[_i];
	struct form_state state = {.requested = k->asked, .pending = -1};
	struct form_step step;
	struct pl_str reply;

	for (int i = 0; i < k->asked; i++)
		state.filled[i] = true;
	form_take(form, pool, &state, pl_str(k->text), &step);
	form_finish(form, &state, &step);
	reply = form_reply(form, pool, &state, &step);
	printf("kind: %s: \"%s\": %s\n", k->name, k->text, k->taken != NULL ? k->taken : "nothing is stored");
	for (int i = 0; i < SLOTS; i++) {
		struct pl_str want = expected(k->taken, i, k->asked);

		ck_assert_msg(want.ptr != NULL ? pl_str_eq(step.value[i], want) : step.value[i].ptr == NULL,
		    "%s: %s is \"%.*s\"", k->name, form->slots[i].name, PL_FMT(step.value[i]));
	}
	if (k->back != NULL && k->back[0] != '\0')
		ck_assert_msg(pl_str_starts(reply, k->back), "%s: %.*s", k->name, PL_FMT(reply));
	else if (k->back != NULL && k->taken == NULL) /* it is asked again, and no part of it is proposed */
		ck_assert_msg(step.requested == k->asked && step.pending < 0, "%s: %.*s", k->name, PL_FMT(reply));
	else if (k->asked == NONE)
		ck_assert_msg(step.pending < 0, "%s: %.*s", k->name, PL_FMT(reply));
}
END_TEST

Suite *suite_form_cases(void)
{
	Suite *suite = suite_create("form_cases");
	TCase *tc = tcase_create("form_cases");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_inputs);
	tcase_add_loop_test(tc, test_kind, 0, PL_COUNT(kinds));
	suite_add_tcase(suite, tc);
	return suite;
}

/* SPDX-License-Identifier: ISC */
/*
 * Guided forms: what a message fills, corrects, omits, or asks; the installed form, and invalid definitions.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "svc/session/form.h"

Suite *suite_form(void);

static struct form *contact;
static struct pl_pool *pool;

static void setup(void)
{
	const char *file = __FILE__, *slash = strrchr(file, '/');
	char path[4096], why[512];

	snprintf(path, sizeof(path), "%.*s/../../etc/forms/contact.conf", slash != NULL ? (int)(slash - file) : 1,
	    slash != NULL ? file : ".");
	contact = form_read(path, "contact", why);
	ck_assert_msg(contact != NULL, "%s", why);
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	form_release(&contact);
	pl_pool_free(&pool);
}

/* The form that a file with this text defines. */
static struct form *form_of_text(const char *text)
{
	char path[] = "/tmp/parlour-form-XXXXXX", why[512];
	int fd = mkstemp(path);
	struct form *form;

	ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	form = form_read(path, "x", why);
	ck_assert_msg(form != NULL, "%s", why);
	close(fd);
	unlink(path);
	return form;
}

/* One step; state follows it. */
static struct form_step step(struct form_state *state, const char *text, const char *model)
{
	struct form_step s;

	form_take(contact, pool, state, pl_str(text), &s);
	if (model != NULL)
		(void)form_take_model(contact, pool, state, pl_str(model), pl_str(text), &s);
	form_finish(contact, state, &s);
	return s;
}

static void follow(struct form_state *state, const struct form_step *s)
{
	for (int i = 0; i < contact->count; i++) {
		state->filled[i] = form_has(state, s, i);
		if (s->cleared[i])
			state->value[i] = state->secret[i] = PL_STR_NONE;
		if (s->value[i].ptr != NULL && contact->slots[i].s->sensitive)
			state->secret[i] = s->value[i];
		else if (s->value[i].ptr != NULL)
			state->value[i] = s->value[i];
		state->tries[i] = s->tries[i];
	}
	state->pending = s->pending;
	state->pending_value = s->pending_value;
	state->pending_raw = s->pending_raw;
	state->complete = s->complete;
	state->requested = s->requested;
	state->over = s->over;
}

enum { NAME, EMAIL, INCOME };

/* Single messages: the requested slot (-1 none, the form is complete) and the result. */
START_TEST(test_values)
{
	static const struct { int asked; const char *text; int slot; const char *value; } cases[] = {
		{ NAME, "Ann", NAME, "Ann" }, { NAME, "ann lee", NAME, "Ann Lee" }, { NAME, "I'm Bob.", NAME, "Bob" },
		{ NAME, "my name is Zoë Müller-Lüdenscheidt", NAME, "Zoë Müller-Lüdenscheidt" },
		{ NAME, "J. R. Smith", NAME, "J. R. Smith" }, { NAME, "Call me Al, please", NAME, "Al" },
		{ NAME, "This is O'Neill and I like it", NAME, "O'Neill" }, { NAME, "Hello!", NAME, NULL },
		{ NAME, "yes", NAME, NULL }, { NAME, "I'm not sure", NAME, NULL }, { NAME, "", NAME, NULL },
		    { NAME, "42", NAME, NULL },
		{ NAME, "one two three four five", NAME, NULL }, { NAME, "What is your name?", NAME, NULL },
		{ NAME, "a@b.co", NAME, NULL }, { NAME, "a@b.co", EMAIL, NULL },
		{ EMAIL, "Mail me: Ann.Lee+x@Sub.Example.ORG.", EMAIL, "Ann.Lee+x@sub.example.org" },
		{ EMAIL, "ann@", EMAIL, NULL }, { EMAIL, "ann@lee", EMAIL, NULL },
		    { EMAIL, "ann at lee.org", EMAIL, NULL },
		{ EMAIL, "Bob", NAME, NULL },
		{ INCOME, "80000", INCOME, "80000" }, { INCOME, "80,000", INCOME, "80000" },
		    { INCOME, "80.000 EUR", INCOME, "80000" },
		{ INCOME, "80 000", INCOME, "80000" }, { INCOME, "$80k", INCOME, "80000" },
		    { INCOME, "1.5 million", INCOME, "1500000" },
		{ INCOME, "1,234.56", INCOME, "1234.56" }, { INCOME, "0", INCOME, "0" },
		    { INCOME, "1000000000", INCOME, "1000000000" },
		{ INCOME, "1000000001", INCOME, NULL }, { INCOME, "99999999999999999999999", INCOME, NULL },
		    { INCOME, "-5", INCOME, NULL },
		{ INCOME, "a lot", INCOME, NULL }, { INCOME, "80k?", INCOME, NULL },
		    { INCOME, "what is 12 * 7?", INCOME, NULL },
		{ -1, "I earn 90k now", INCOME, "90000" }, { -1, "Bob", NAME, NULL }, { -1, "77", INCOME, NULL },
		{ NAME, "I make about $ 12,500 a month", INCOME, NULL },
		{ NAME, "I make about $ 12,500 a year", INCOME, "12500" },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = cases[i].asked };
		struct form_step s = step(&state, cases[i].text, NULL);
		struct pl_str got = s.value[cases[i].slot];

		if (cases[i].value == NULL)
			ck_assert_msg(got.ptr == NULL, "\"%s\" gave \"%.*s\"", cases[i].text, PL_FMT(got));
		else
			ck_assert_msg(pl_str_is(got, cases[i].value), "\"%s\" gave \"%.*s\"", cases[i].text,
			    PL_FMT(got));
	}
}
END_TEST

/*
 * A whole conversation: after each message the requested slot, whether the form is complete, and the start of the
 * reply.
 */
START_TEST(test_conversation)
{
	static const struct { const char *text; int requested; bool complete, missed, question; const char *reply;
	    } talk[] = {
		{ "Hello!", NAME, false, false, true, "What is your name?" },
		{ "I am looking for momentum trading ideas", NAME, false, false, true, "What is your name?" },
		{ "yes of course", NAME, false, true, false, "I did not recognize a name" },
		{ "What do you think of momentum?", NAME, false, false, true, "What is your name?" },
		{ "I am Ann Lee, ann@lee.org", INCOME, false, false, false,
		    "Noted: name Ann Lee; e-mail address ann@lee.org. What is your y" },
		{ "plenty", INCOME, false, true, false, "I need a number" },
		{ "it is somewhere around eighty thousand a year", INCOME, false, false, false,
		    "I understood **,*** as your income. Is that right?" },
		{ "Actually my name is Anna Lee", INCOME, false, false, false,
		    "Corrected: name Anna Lee. What is your yearly income?" },
		{ "90k", -1, true, false, false, "Noted: income **,*** (kept sealed). That is all" },
		{ "Thanks", -1, true, false, false, "" },
		{ "my email is wrong", EMAIL, true, false, false, "What is your e-mail address?" },
		{ "anna@lee.org", -1, true, false, false, "Corrected: e-mail address anna@lee.org." },
		{ "change my name to Bob", -1, true, false, false, "Corrected: name Bob." },
		{ "I meant an income of 70000", -1, true, false, false, "Corrected: income **,*** (kept sealed)." },
	};
	struct form_state state = { .pending = -1, .requested = NAME };

	for (size_t i = 0; i < PL_COUNT(talk); i++) {
		struct form_step s = step(&state, talk[i].text, NULL);
		struct pl_str reply = form_reply(contact, pool, &state, &s);

		ck_assert_msg(s.requested == talk[i].requested && s.complete == talk[i].complete &&
		    s.missed == talk[i].missed && s.question == talk[i].question, "\"%s\": %d %d %d %d", talk[i].text,
		    s.requested, s.complete, s.missed, s.question);
		ck_assert_msg(pl_str_starts(reply, talk[i].reply) && (talk[i].reply[0] != '\0' || reply.len == 0),
		    "\"%s\": %.*s", talk[i].text, PL_FMT(reply));
		follow(&state, &s);
	}
	ck_assert_int_eq(state.tries[NAME], 1);
	ck_assert_int_eq(state.tries[INCOME], 1);
}
END_TEST

struct line { const char *text; int requested; bool complete; enum form_over over; const char *reply; };

static void talk_through(const struct line *talk, struct form_state state)
{
	for (; talk->text != NULL; talk++) {
		struct form_step s = step(&state, talk->text, NULL);
		struct pl_str reply = form_reply(contact, pool, &state, &s);

		ck_assert_msg(s.requested == talk->requested && s.complete == talk->complete && s.over == talk->over,
		    "\"%s\": %d %d %d", talk->text, s.requested, s.complete, s.over);
		ck_assert_msg(pl_str_starts(reply, talk->reply) && (talk->reply[0] != '\0' || reply.len == 0),
		    "\"%s\": %.*s", talk->text, PL_FMT(reply));
		follow(&state, &s);
	}
}

/* A cancel word ends the form and keeps its values, and corrections remain possible. */
START_TEST(test_cancel)
{
	static const struct line talk[] = {
		{ "Ann Lee", EMAIL, false, FORM_GOES_ON, "Noted: name Ann Lee. What is your e" },
		{ "Can you stop the clock?", EMAIL, false, FORM_GOES_ON, "What is your e-mail address?" },
		{ "I will never stop to look at charts and figures", EMAIL, false, FORM_GOES_ON,
		    "What is your e-mail" },
		{ "please STOP this!", -1, false, FORM_CANCELLED, "All right" },
		{ "ann@lee.org", -1, false, FORM_CANCELLED, "Noted: e-mail address ann@lee.org." },
		{ "stop", -1, false, FORM_CANCELLED, "" },
		{ "change my name to Bob", -1, false, FORM_CANCELLED, "Corrected: name Bob." },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	static const struct line reopened[] = {
		{ "my email is wrong", EMAIL, true, FORM_GOES_ON, "What is your e-mail address?" },
		{ "cancel", -1, true, FORM_GOES_ON, "All right" },
		{ "thanks", -1, true, FORM_GOES_ON, "" },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	static const struct line over[] = {
		{ "my email is wrong", EMAIL, false, FORM_CANCELLED, "What is your e-mail address?" },
		{ "ann@lee.org", -1, false, FORM_CANCELLED, "Corrected: e-mail address ann@lee.org." },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };

	talk_through(talk, (struct form_state){ .pending = -1, .requested = NAME });
	talk_through(reopened, (struct form_state){ .pending = -1, .requested = -1, .filled = { true, true, true } });
	talk_through(over, (struct form_state){ .pending = -1, .requested = -1, .filled = { true, true },
	    .over = FORM_CANCELLED });
}
END_TEST

/* The name may be skipped; without an address, a person has to help; a skipped slot may still be filled. */
START_TEST(test_tries)
{
	static const struct line skipped[] = {
		{ "42", NAME, false, FORM_GOES_ON, "I did not recognize" },
		    { "43", NAME, false, FORM_GOES_ON, "I did not recognize" },
		{ "44", EMAIL, false, FORM_GOES_ON, "Let us leave out the name. What is your e-mail address?" },
		{ "a@b.co", INCOME, false, FORM_GOES_ON, "Noted" },
		    { "90k", -1, true, FORM_GOES_ON, "Noted: income **,*** (kept sealed). That is all" },
		{ "my name is Ann", -1, true, FORM_GOES_ON, "Noted: name Ann." },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	static const struct line handed[] = {
		{ "none", EMAIL, false, FORM_GOES_ON, "That does not look" },
		    { "no", EMAIL, false, FORM_GOES_ON, "That does not look" },
		{ "never", -1, false, FORM_HANDED_OVER, "I do not get on" },
		    { "a@b.co", -1, false, FORM_HANDED_OVER, "Noted: e-mail address a@b.co." },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	static const struct line owed[] = {
		{ "my email is wrong", EMAIL, true, FORM_GOES_ON, "What is" },
		    { "hm", EMAIL, true, FORM_GOES_ON, "That does not" },
		{ "hm", EMAIL, true, FORM_GOES_ON, "That does not" },
		    { "hm", -1, true, FORM_GOES_ON, "Let us leave out the e-mail" },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	struct form_state asked = { .pending = -1, .requested = EMAIL, .filled = { true } };

	talk_through(skipped, (struct form_state){ .pending = -1, .requested = NAME });
	talk_through(handed, asked);
	talk_through(owed, (struct form_state){ .pending = -1, .requested = -1, .filled = { true, true, true } });
}
END_TEST

/* Values are deleted if the message asks only for that; the form asks again for required ones. */
START_TEST(test_clear)
{
	static const struct line talk[] = {
		{ "forget my income", NAME, false, FORM_GOES_ON,
		    "I have nothing of that kind noted. What is your name?" },
		{ "Ann Lee", EMAIL, false, FORM_GOES_ON, "Noted: name Ann Lee." },
		{ "delete my name please", NAME, false, FORM_GOES_ON, "Deleted: name. What is your name?" },
		{ "Ann Lee", EMAIL, false, FORM_GOES_ON, "Noted: name Ann Lee." },
		{ "ann@lee.org", INCOME, false, FORM_GOES_ON, "Noted: e-mail" },
		{ "90k", -1, true, FORM_GOES_ON, "Noted: income **,*** (kept sealed). That is all" },
		{ "Please don't store my address!", EMAIL, false, FORM_GOES_ON,
		    "Deleted: e-mail address. What is your e-mail address?" },
		{ "ann@lee.org", -1, true, FORM_GOES_ON, "Noted: e-mail address ann@lee.org. That is all" },
		{ "erase everything", NAME, false, FORM_GOES_ON,
		    "Deleted: name, e-mail address, income. What is your name?" },
		{ "cancel", -1, false, FORM_CANCELLED, "All right" },
		{ "forget my name", -1, false, FORM_CANCELLED, "I have nothing of that kind noted." },
		{ NULL, 0, false, FORM_GOES_ON, NULL } };
	static const struct { const char *text; const char *slots; } cases[] = {
		{ "forget my income", "3" }, { "Delete my name", "1" }, { "don’t store my address", "2" },
		{ "do not keep my e-mail", "2" }, { "I don't want you to store my income", "3" },
		{ "can you delete my name and my income please?", "13" }, { "remove my email address", "2" },
		{ "forget everything about me", "123" }, { "delete all my data", "123" },
		{ "please erase the income that I gave you", "3" }, { "forget about my salary", "3" },
		{ "delete name", "1" }, { "no, delete my name", "1" },
		/* no such request */
		{ "don't forget my name", "" }, { "never delete my income", "" }, { "cancel my order", "" },
		{ "delete my account", "" }, { "forget my order", "" }, { "forget it", "" }, { "delete", "" },
		{ "did you delete my name?", "" }, { "why did you forget my name", "" }, { "I forgot my password", "" },
		{ "how do I delete my name?", "" }, { "delete my wife's name", "" }, { "my name is Forget", "" },
		{ "delete my name from the newsletter", "" }, { "forget my income, it is 50k", "" },
		{ "I don't want you to delete my name", "" }, { "keep my name", "" }, { "store my name", "" },
		{ "use my name", "" }, { "you removed my name", "" }, { "clear", "" },
	};

	talk_through(talk, (struct form_state){ .pending = -1, .requested = NAME });
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = -1, .filled = { true, true, true },
			.complete = true };
		struct form_step s;
		char slots[8] = "";

		form_take(contact, pool, &state, pl_str(cases[i].text), &s);
		for (int k = 0; k < contact->count; k++)
			if (s.cleared[k])
				slots[strlen(slots)] = (char)('1' + k);
		ck_assert_msg(strcmp(slots, cases[i].slots) == 0, "%s: %s", cases[i].text, slots);
		for (int k = 0; k < contact->count; k++)
			ck_assert_msg(slots[0] == '\0' || s.value[k].ptr == NULL, "%s", cases[i].text);
	}
}
END_TEST

/* A valid value is not treated as a typo; a typo that is repeated is accepted. */
START_TEST(test_mistyped)
{
	struct form_state state = { .pending = -1, .requested = EMAIL, .filled = { true } };
	struct form_step s = step(&state, "ann@gmial.com", NULL);

	ck_assert(s.mistyped && s.pending == EMAIL && pl_str_is(s.pending_value, "ann@gmail.com"));
	follow(&state, &s);
	s = step(&state, "ann@gmial.com", NULL);
	ck_assert(!s.mistyped && s.pending == EMAIL && pl_str_is(s.pending_value, "ann@gmial.com"));
	follow(&state, &s);
	s = step(&state, "yes", NULL);
	ck_assert(pl_str_is(s.value[EMAIL], "ann@gmial.com"));
	state.pending = -1;
	s = step(&state, "ann@example,org", "{\"slots\":{\"email\":\"ann@example,org\"},\"question\":false}");
	ck_assert(s.mistyped && s.value[EMAIL].ptr == NULL && pl_str_is(s.pending_value, "ann@example.org"));
	follow(&state, &s);
	s = step(&state, "yes", NULL);
	ck_assert(pl_str_is(s.value[EMAIL], "ann@example.org"));
}
END_TEST

/* A part is shown where the form allows it, but never enough to reveal the value. */
START_TEST(test_show)
{
	static const struct { const char *kind, *value, *size, *part; } cases[] = {
		{ "amount", "80000", "**,***", "8*,***" }, { "amount", "1234567", "*,***,***", "1,***,***" },
		{ "amount", "900", "***", "9**" }, { "amount", "90", "**", "**" }, { "amount", "5", "*", "*" },
		{ "email", "obinze@example.org", "o***@e***", "ob***@example.org" },
		{ "email", "obinze.okonkwo@example.org", "o***@e***", "ob***wo@example.org" },
		{ "email", "a@b.co", "a***@b***", "***@b.co" }, { "date", "1980-02-01", "** *** ****", "** *** 1980" },
		{ "phone", "+4930123456", "***56", "***3456" }, { "phone", "555123", "***23", "***23" },
		{ "name", "Ann Lee", "A***", "A*** L***" }, { "name", "Chinua Achebe", "C***", "Ch*** Ac***" },
		{ "name", "\u674e", "\u674e***", "***" },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++)
		for (int part = 0; part < 2; part++) {
			struct form *form = form_of_text(pl_sprintf(pool, "title = x\n[slot a]\nlabel = a\nask = A?\n"
			    "normalise = %s\nsensitive = on\nmax = 1000000000\n%s", cases[i].kind,
			    part ? "show = part\n" : ""));
			struct pl_str shown = form_shown(&form->slots[0], pool, pl_str(cases[i].value));

			ck_assert_msg(pl_str_is(shown, part ? cases[i].part : cases[i].size), "%s: %.*s",
			    cases[i].value, PL_FMT(shown));
			form_release(&form);
		}
}
END_TEST

START_TEST(test_mask)
{
	static const struct { int asked; const char *text, *masked; } cases[] = {
		{ INCOME, "80,000 a year", "[income] a year" }, { INCOME, "90k", "[income]" },
		{ INCOME, "first 80000, no, 90000", "first [income], no, [income]" },
		{ INCOME, "99999999999999", "[income]" },
		{ NAME, "I am Ann, a1@b2.org, I earn 5000", "I am Ann, a1@b2.org, I earn [income]" },
		{ NAME, "My income is none of your 2 businesses", "My income is none of your [income] businesses" },
		{ NAME, "Room 101 at 5", "Room 101 at 5" }, { -1, "what is 12 * 7?", "what is 12 * 7?" },
		{ INCOME, "as I told your colleague it was eighty thousand",
		    "as I told your colleague it was [income]" },
		{ INCOME, "as I told your colleague it was ٨٠٠٠٠",
		    "as I told your colleague it was [income]" },
		{ INCOME, "80k. Why do you ask?", "[income]. Why do you ask?" },
		/* a question that contains what may be the value */
		{ INCOME, "is 80k enough?", "is [income] enough?" },
		{ INCOME, "is 80000 enough", "is [income] enough" },
		{ INCOME, "Is 80 enough?", "Is [income] enough?" },
		{ INCOME, "would eighty thousand do?", "would [income] do?" },
		{ INCOME, "do you take people with $36,000 a year?", "do you take people with $[income] a year?" },
		{ INCOME, "is between 50 and 60k fine?", "is between [income] fine?" },
		{ INCOME, "what if I make 3000 a month?", "what if I make [income] a month?" },
		{ INCOME, "Do you offer 24/7 support?", "Do you offer 24/7 support?" },
		{ INCOME, "can I send it back in 2 weeks?", "can I send it back in 2 weeks?" },
		{ INCOME, "where is my order 80000?", "where is my order 80000?" },
		{ INCOME, "why did it cost 49.99?", "why did it cost 49.99?" },
		{ INCOME, "are you open at 5?", "are you open at 5?" },
		{ NAME, "is 80k enough?", "is 80k enough?" }, { EMAIL, "is a@b.co yours?", "is a@b.co yours?" },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = cases[i].asked };
		struct form_step s = step(&state, cases[i].text, NULL);
		struct pl_str masked = form_mask(contact, pool, &state, &s, pl_str(cases[i].text));

		ck_assert_msg(pl_str_is(masked, cases[i].masked), "\"%s\": %.*s", cases[i].text, PL_FMT(masked));
	}
}
END_TEST

/* The same for other kinds of values, and while a proposal is pending. */
START_TEST(test_mask_questions)
{
	static const char file[] = "[slot mail]\nlabel = mail\nask = a\nnormalise = email\nsensitive = on\n"
	    "[slot born]\nlabel = born\nask = b\nnormalise = date\nsensitive = on\n"
	    "[slot phone]\nlabel = phone\nask = c\nnormalise = phone\nsensitive = on\n"
	    "[slot who]\nlabel = who\nask = d\nnormalise = name\nsensitive = on\n"
	    "[slot code]\nlabel = code\nask = e\nanswer = [a-z][0-9]+\nsensitive = on\n"
	    "[slot pay]\nlabel = pay\nask = f\nnormalise = amount\nmax = 1000000\nsensitive = on\n";
	static const struct { int asked; const char *text, *masked; } cases[] = {
		{ 0, "is ann@lee.org all right?", "is [mail] all right?" },
		{ 1, "do you mean 1990-02-01?", "do you mean [born]?" }, { 2, "is 555-1234 fine?", "is [phone] fine?" },
		{ 3, "did I say Ann Lee?", "did I say [who]?" }, { 4, "is it x77?", "is it [code]?" },
		{ 0, "is 555-1234 fine?", "is 555-1234 fine?" }, { 3, "Where is my order?", "Where is my order?" },
		{ -1, "is ann@lee.org all right?", "is ann@lee.org all right?" },
	};
	struct form *form = form_of_text(file);
	struct form_state state = { .pending = 5, .requested = 5, .pending_value = PL_STR("81000"),
		.pending_raw = PL_STR("81000") };
	struct pl_str masked;
	struct form_step s;

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state asked = { .pending = -1, .requested = cases[i].asked };

		form_take(form, pool, &asked, pl_str(cases[i].text), &s);
		form_finish(form, &asked, &s);
		masked = form_mask(form, pool, &asked, &s, pl_str(cases[i].text));
		ck_assert_msg(pl_str_is(masked, cases[i].masked), "\"%s\": %.*s", cases[i].text, PL_FMT(masked));
	}
	form_take(form, pool, &state, PL_STR("is 81k too much for 2 people?"), &s);
	form_finish(form, &state, &s);
	ck_assert_int_eq(s.pending, 5);
	masked = form_mask(form, pool, &state, &s, PL_STR("is 81k too much for 2 people?"));
	ck_assert_msg(pl_str_is(masked, "is [pay] too much for 2 people?"), "%.*s", PL_FMT(masked));
	form_release(&form);
}
END_TEST

/* A value that was given before is repeated, in any spelling. */
START_TEST(test_mask_again)
{
	static const struct { const char *secret, *text, *masked; } cases[] = {
		{ "987654321", "so 987654321 is it", "so [income] is it" },
		{ "987654321", "987,654,321 987.654.321 987 654 321", "[income] [income] [income]" },
		{ "987654321", "in 2020 987 654 321, 12", "in 2020 [income], 12" },
		{ "987654321", "987'654'321; 987_654_321; 987\u00a0654\u202f321", "[income]; [income]; [income]" },
		{ "987654321", "987654321.00, 987.654321 million, 987654.321k", "[income], [income], [income]" },
		{ "987654321", "1987654321 98765432 9876543210", "1987654321 98765432 9876543210" },
		{ "987654321", "mail 987654321@b.org", "mail 987654321@b.org" },
		{ "987654000", "987654k, 987654 thousand, $987654-thousand", "[income], [income], $[income]" },
		{ "987650000", "987.65 million or 987,65 Mio", "[income] or [income]" },
		{ "200000", "2 hundred thousand", "[income]" }, { "80000", "8 of 80 in 0.8", "8 of 80 in 0.8" },
		{ "80000", "080000 80 k 80000 m", "[income] [income] [income]" },
		{ "0", "0 or 0.5", "[income] or [income]" }, { NULL, "987654321", "987654321" },
		{ "987654321", "9999999999999999999999999999999999999999", "9999999999999999999999999999999999999999" },
	};
	static const struct { int asked; const char *text, *masked; } units[] = {
		{ INCOME, "987.65 million", "[income]" }, { INCOME, "80 thousand a year", "[income] a year" },
		{ INCOME, "80 K, 1.5M; 3 mio", "[income], [income]; [income]" },
		{ INCOME, "80 men", "[income] men" }, { INCOME, "99999999999 billion", "[income]" },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = -1, .filled = { true, true, true } };
		struct form_step s = { .reopened = -1, .pending = -1 };
		struct pl_str masked;

		if (cases[i].secret != NULL)
			state.secret[INCOME] = pl_str(cases[i].secret);
		masked = form_mask(contact, pool, &state, &s, pl_str(cases[i].text));
		ck_assert_msg(pl_str_is(masked, cases[i].masked), "\"%s\": %.*s", cases[i].text, PL_FMT(masked));
	}
	for (size_t i = 0; i < PL_COUNT(units); i++) {
		struct form_state state = { .pending = -1, .requested = units[i].asked };
		struct form_step s = step(&state, units[i].text, NULL);
		struct pl_str masked = form_mask(contact, pool, &state, &s, pl_str(units[i].text));

		ck_assert_msg(pl_str_is(masked, units[i].masked), "\"%s\": %.*s", units[i].text, PL_FMT(masked));
	}
}
END_TEST

/* Words are compared without regard to case, as whole words. */
START_TEST(test_mask_text_again)
{
	static const char file[] = "[slot code]\nlabel = code\nask = b\nsensitive = on\n";
	static const struct { const char *secret, *text, *masked; } cases[] = {
		{ "Blue Moon", "it is blue moon, BLUE  MOON!", "it is [code], [code]!" },
		{ "Blue Moon", "blue moons", "blue moons" }, { "ann", "planning with Ann's", "planning with [code]'s" },
		{ "#7+", "say #7+x", "say [code]x" }, { "Blue Moon", "blue moo", "blue moo" },
	};
	struct form *form = form_of_text(file);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = -1, .filled = { true },
			.secret = { pl_str(cases[i].secret) } };
		struct form_step s = { .reopened = -1, .pending = -1 };
		struct pl_str masked = form_mask(form, pool, &state, &s, pl_str(cases[i].text));

		ck_assert_msg(pl_str_is(masked, cases[i].masked), "\"%s\": %.*s", cases[i].text, PL_FMT(masked));
	}
	form_release(&form);
}
END_TEST

/*
 * Values of a model pass the same checks, must be in the message as whole words, and must be for requested or explained
 * slots.
 */
START_TEST(test_model)
{
	static const char text[] = "people know me as Ann Lee, ann@lee and 80k";
	static const struct { int asked; const char *text, *answer; bool name, email, income; } cases[] = {
		{ NAME, text, "{\"slots\":{\"name\":\"Ann Lee\",\"email\":\"ann@lee\",\"income\":\"80k\"}}",
		    true, false, false },
		{ NAME, text, "Here you are: ```{\"slots\":{\"name\":\"Ann Lee\"}}```", true, false, false },
		{ NAME, text, "{\"slots\":{\"name\":\"Ann\"}}", false, false, false },
		{ EMAIL, text, "{\"slots\":{\"name\":\"Ann Lee\",\"email\":\"ann@lee\"}}", false, false, false },
		{ NAME, text, "{\"slots\":{\"name\":\"Bob\",\"income\":\"70k\",\"shoe\":\"42\"}}", false, false,
		    false },
		{ INCOME, "I earn 80k", "{\"slots\":{\"name\":null,\"income\":80}}", false, false, true },
		{ EMAIL, "so write under ann@lee.org whenever necessary",
		    "{\"slots\":{\"email\":\"ann@lee.org\"}}", false, true, false },
		{ EMAIL, "o'brien@example.org", "{\"slots\":{\"email\":\"brien@example.org\"}}", false, true, false },
		{ NAME, text, "{\"slots\":[]}", false, false, false }, { NAME, text, "no JSON", false, false, false },
		{ NAME, text, "", false, false, false }, { NAME, text, "}{", false, false, false },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct form_state state = { .pending = -1, .requested = cases[i].asked };
		struct form_step s = step(&state, cases[i].text, cases[i].answer);

		ck_assert_msg((s.value[NAME].ptr != NULL) == cases[i].name &&
		    (s.value[EMAIL].ptr != NULL) == cases[i].email && (s.value[INCOME].ptr != NULL) == cases[i].income,
		    "\"%s\": %s", cases[i].text, cases[i].answer);
		ck_assert(s.value[EMAIL].ptr == NULL || !pl_str_starts(s.value[EMAIL], "brien"));
	}
}
END_TEST

START_TEST(test_greeting)
{
	for (uint32_t i = 0; i < 6; i++)
		ck_assert(pl_str_eq(form_greeting(contact, i), form_greeting(contact, i + 3)) &&
		    form_greeting(contact, i).len > 10);
	ck_assert(!pl_str_eq(form_greeting(contact, 0), form_greeting(contact, 1)));
}
END_TEST

START_TEST(test_bad_files)
{
	static const struct { const char *text, *why; } cases[] = {
		{ "title = x\n", "1 to 16 slots" }, { "[slot a]\nlabel = a\n", "label and ask must be given" },
		{ "[slot ab]\nlabel = a\nask = b\nfind = x\n[slot a]\nlabel = a\nask = b\nfind = (\n",
		    ":8: slot a: find" },
		{ "[slot a]\nlabel = a\nask = b\nanswer = (x)\nanswer_group = 2\n",
		    ":4: slot a: answer: it has no group 2" },
		{ "[slot a]\nlabel = a\nask = b\nmin = 5\nmax = 4\n", ":4: slot a: min: is above max" },
		{ "person =\ntitle = a\xe2\x80\x8b" "b\n[slot a]\nlabel = a\nask = b\n",
		    ":2: title: must not contain the invisible character U+200B" },
		{ "[slot a]\nlabel = \xe3\x85\xa4\nask = b\n", ":2: slot a: label: must not contain the invisible" },
		{ "title = x\nperson = b\n[slot a]\nlabel = a\nask = b\n", ":2: person: there is no slot" },
		{ "person = a\n[slot a]\nlabel = a\nask = b\nsensitive = on\n", ":1: person: the slot is sensitive" },
		{ "[slot a]\nlabel = a\nask = b\ngive_up = ask\n", "give_up" },
		    { "[slot a]\nlabel = a\nask = b\nmood = c\n", ":4: " },
		{ "[slot a]\nlabel = a\nask = b\nnormalise = upper\n", "normalise" },
		{ "[slot a]\nlabel = a\nask = b\nfind_group = 10\n", "find_group" },
	};
	char path[] = "/tmp/parlour-form-XXXXXX", why[512];
	int fd = mkstemp(path);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		ck_assert(ftruncate(fd, 0) == 0 && pwrite(fd, cases[i].text, strlen(cases[i].text), 0) >= 0);
		ck_assert(form_read(path, "x", why) == NULL);
		ck_assert_msg(strstr(why, cases[i].why) != NULL, "%s", why);
	}
	close(fd);
	unlink(path);
}
END_TEST

Suite *suite_form(void)
{
	Suite *suite = suite_create("form");
	TCase *tc = tcase_create("form");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_conversation);
	tcase_add_test(tc, test_cancel);
	tcase_add_test(tc, test_tries);
	tcase_add_test(tc, test_clear);
	tcase_add_test(tc, test_mistyped);
	tcase_add_test(tc, test_show);
	tcase_add_test(tc, test_mask);
	tcase_add_test(tc, test_mask_questions);
	tcase_add_test(tc, test_mask_again);
	tcase_add_test(tc, test_mask_text_again);
	tcase_add_test(tc, test_model);
	tcase_add_test(tc, test_greeting);
	tcase_add_test(tc, test_bad_files);
	suite_add_tcase(suite, tc);
	return suite;
}

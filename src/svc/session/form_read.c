/* SPDX-License-Identifier: ISC */
/* Reads the definition of a form by a table of settings. */
#include <stddef.h>
#include <stdio.h>

#include "svc/session/form.h"
#include "text.h"

#define TEXT_MAX 2000

static const char *const give_up_words[] = { "skip", "hand_over", NULL };
static const char *const normal_words[] = { "text", "name", "lower", "amount", "email", "date", "phone", NULL };
static const char *const show_words[] = { "size", "part", NULL };
static const char *const per_words[] = { "none", "hour", "day", "week", "month", "year", NULL };

#define TOP(field, type_, text_) { .name = #field, .type = type_, .def = "", .max = TEXT_MAX, .unit = "", \
	.section = "", .text = text_, .offset = offsetof(struct form, field) }
static const struct pl_setting top_settings[] = {
	TOP(title, PL_SET_STR, "What the form is about."),
	TOP(greeting, PL_SET_STR, "First words; several, between |, are taken in turn."),
	TOP(thanks, PL_SET_STR, "Said when the form is complete."),
	TOP(correct, PL_SET_LIST, "Words that announce a correction."),
	{ .name = "cancel", .type = PL_SET_LIST, .def = "cancel stop", .unit = "", .section = "",
		.text = "Words that end the form, in a message of at most five words.",
		.offset = offsetof(struct form, cancel) },
	{ .name = "aside", .type = PL_SET_LIST, .def = "hello hi hey good thanks", .unit = "", .section = "",
		.text = "First words of messages that are no try at a value.", .offset = offsetof(struct form, aside) },
	{ .name = "confirm", .type = PL_SET_BOOL, .def = "off", .unit = "", .section = "",
		.text = "Show all values and wait for a yes before the form is complete.",
		.offset = offsetof(struct form, confirm) },
	TOP(cancelled, PL_SET_STR, "Said then; empty: a sentence of our own."),
	TOP(handed_over, PL_SET_STR, "Said when a slot's give_up hands over; empty: a sentence of our own."),
	TOP(person, PL_SET_STR, "Slot that holds the person's mail address, for lead_mail_person; empty: none."),
};

#define SLOT(key, field, type_, def_, max_, words_, text_) { .name = key, .type = type_, .def = def_, .max = max_, \
	.unit = "", \
	.words = words_, .section = "", .text = text_, .offset = offsetof(struct form_slot_settings, field) }
static const struct pl_setting slot_settings[] = {
	SLOT("label", label, PL_SET_STR, "", 64, NULL, "How replies call it."),
	SLOT("ask", ask, PL_SET_STR, "", TEXT_MAX, NULL, "The request for it."),
	SLOT("retry", retry, PL_SET_STR, "", TEXT_MAX, NULL,
	    "The request after an answer that did not do; empty: ask."),
	SLOT("why", why, PL_SET_STR, "", TEXT_MAX, NULL,
	    "The answer to a question why it is asked for; empty: a sentence with the title of the form."),
	SLOT("find", find, PL_SET_STR, "", TEXT_MAX, NULL, "Of text and lower: an expression for it in any message."),
	SLOT("answer", answer, PL_SET_STR, "", TEXT_MAX, NULL,
	    "Of text and lower: an expression for it in the answer to ask."),
	SLOT("find_group", find_group, PL_SET_INT, "0", FORM_GROUP_MAX, NULL,
	    "Group of find that is the value; 0: all of it."),
	SLOT("answer_group", answer_group, PL_SET_INT, "0", FORM_GROUP_MAX, NULL, "The same of answer."),
	SLOT("pattern", pattern, PL_SET_STR, "", TEXT_MAX, NULL, "What the normalised value must look like."),
	SLOT("words", words, PL_SET_LIST, "", 0, NULL, "Words that name it in a correction; empty: its name."),
	SLOT("reject", reject, PL_SET_LIST, "", 0, NULL, "Words that are never part of it."),
	SLOT("normalise", normal, PL_SET_ENUM, "text", 0, normal_words,
	    "What the value is: text, lower, name, email, amount, date, or phone."),
	SLOT("says", says, PL_SET_STR, "", TEXT_MAX, NULL, "Phrases that introduce it, between |: I earn | I make."),
	SLOT("per", per, PL_SET_ENUM, "none", 0, per_words, "Period of an amount that is asked for."),
	SLOT("min", min, PL_SET_INT, "0", INT64_MAX, NULL, "Least amount, or fewest characters."),
	SLOT("max", max, PL_SET_INT, "1000", INT64_MAX, NULL, "Largest amount, or most characters."),
	SLOT("earliest", earliest, PL_SET_STR, "1900-01-01", 10, NULL, "First date that is taken, YYYY-MM-DD."),
	SLOT("latest", latest, PL_SET_STR, "2099-12-31", 10, NULL, "Last date that is taken."),
	SLOT("tries", tries, PL_SET_INT, "3", 1000, NULL,
	    "Number of invalid answers after which the form gives up; 0: it asks indefinitely."),
	SLOT("give_up", give_up, PL_SET_ENUM, "skip", 0, give_up_words,
	    "Then: skip the slot, or hand_over to a person and end."),
	SLOT("whole", whole, PL_SET_BOOL, "off", 0, NULL, "Of text and lower: the whole answer to ask may be it."),
	SLOT("required", required, PL_SET_BOOL, "on", 0, NULL, "The form is not complete without it."),
	SLOT("sensitive", sensitive, PL_SET_BOOL, "off", 0, NULL, "Kept sealed, and never shown or logged."),
	SLOT("show", show, PL_SET_ENUM, "size", 0, show_words,
	    "What replies show of a sensitive value: its size, or a part of it."),
};

static const struct pl_schema schema = { .settings = top_settings, .count = PL_COUNT(top_settings), .group = "slot",
	.group_settings = slot_settings, .group_count = PL_COUNT(slot_settings),
	.group_bytes = sizeof(struct form_slot_settings) };

/* ---- checks beyond the table ---- */

/*
 * Returns the line of a key in the section of a slot, of the section itself (key NULL), or of a key at the top (slot
 * NULL).
 */
static int line_of(const char *path, const char *slot, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[TEXT_MAX * 2];
	int number = 1, found = 1;
	bool here = slot == NULL;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		bool whole = strchr(line, '\n') != NULL;
		struct pl_str rest = pl_str_trim(pl_str(line)), name;

		if (rest.len > 0 && rest.ptr[0] == '[') {
			rest = pl_strn(rest.ptr + 1, rest.len - 1);
			pl_str_cut(&rest, ']', &name);
			here = slot != NULL && pl_str_starts(name, "slot") &&
			    pl_str_is(pl_str_trim(pl_strn(name.ptr + 4, name.len - 4)), slot);
			found = here ? number : found;
		} else if (here && key != NULL && pl_str_cut(&rest, '=', &name) && pl_str_is(pl_str_trim(name), key)) {
			found = number;
			break;
		}
		number += whole;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static bool form_refuse(const char *path, const char *slot, const char *key, const char *rule, char why[512])
{
	snprintf(why, 512, "%s:%d: %s%s%s%s: %s", path, line_of(path, slot, key), slot != NULL ? "slot " : "",
	    slot != NULL ? slot : "", slot != NULL && key != NULL ? ": " : "", key != NULL ? key : "", rule);
	return false;
}

/* group 0 is the whole match */
static bool compile(const struct form_slot *slot, const char *key, const char *text, int64_t group, regex_t *re,
    const char *path, char why[512])
{
	char reason[128];
	int code;

	if (text[0] == '\0')
		return true;
	code = regcomp(re, text, REG_EXTENDED | REG_ICASE);
	if (code != 0) {
		regerror(code, re, reason, sizeof(reason));
		memset(re, 0, sizeof(*re));
		return form_refuse(path, slot->name, key, reason, why);
	}
	if ((int64_t)re->re_nsub >= group)
		return true;
	snprintf(reason, sizeof(reason), "it has no group %lld", (long long)group);
	return form_refuse(path, slot->name, key, reason, why);
}

/* Labels and titles follow the rule for display names: lib/text.h. */
static bool seen(const struct form *form, const char *slot, const char *key, const char *text, const char *path,
    char why[512])
{
	const char *fault = text[0] != '\0' ? pl_text_label_fault(form->pool, pl_str(text)) : NULL;

	return fault == NULL || form_refuse(path, slot, key, fault, why);
}

static bool is_date(const char *text)
{
	static const char shape[] = "dddd-dd-dd";

	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; text[i] != '\0'; i++)
		if (shape[i] == '-' ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static bool add_slot(struct form *form, const char *name, const struct form_slot_settings *s, const char *path,
    char why[512])
{
	struct form_slot *slot = &form->slots[form->count++];

	*slot = (struct form_slot){ .name = name, .s = s };
	if (s->ask[0] == '\0' || s->label[0] == '\0')
		return form_refuse(path, name, NULL, "label and ask must be given", why);
	if (!seen(form, name, "label", s->label, path, why))
		return false;
	if (s->min > s->max)
		return form_refuse(path, name, "min", "is above max", why);
	if (!is_date(s->earliest) || !is_date(s->latest))
		return form_refuse(path, name, is_date(s->earliest) ? "latest" : "earliest",
		    "must be a date: YYYY-MM-DD", why);
	if (strcmp(s->earliest, s->latest) > 0)
		return form_refuse(path, name, "earliest", "is after latest", why);
	if (form_is_read(slot) && (s->find[0] != '\0' || s->answer[0] != '\0' || s->whole))
		return form_refuse(path, name, s->find[0] != '\0' ? "find" : s->answer[0] != '\0' ? "answer" : "whole",
		    "remove it: only values of kind text and lower are found by expressions", why);
	return compile(slot, "find", s->find, s->find_group, &slot->find, path, why) &&
	    compile(slot, "answer", s->answer, s->answer_group, &slot->answer, path, why) &&
	    compile(slot, "pattern", s->pattern, 0, &slot->pattern, path, why);
}

static bool check_person(const struct form *form, const char *path, char why[512])
{
	int slot = form_slot_find(form, pl_str(form->person));

	if (form->person[0] == '\0')
		return true;
	if (slot < 0)
		return form_refuse(path, NULL, "person", "there is no slot of that name", why);
	return !form->slots[slot].s->sensitive || form_refuse(path, NULL, "person",
	    "the slot is sensitive: nobody could write to it", why);
}

struct form *form_read(const char *path, const char *name, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	struct form *form = pl_alloc(pool, sizeof(*form));
	struct pl_cfg cfg = { .pool = pool, .schema = &schema, .values = form };
	bool good = pl_cfg_read(&cfg, path, NULL, 0);

	form->pool = pool;
	form->refs = 1;
	form->name = pl_strdup(pool, name);
	if (!good)
		snprintf(why, 512, "%s", cfg.why);
	else if (cfg.groups_count < 1 || cfg.groups_count > FORM_SLOTS_MAX)
		good = snprintf(why, 512, "%s: a form has 1 to %d slots", path, FORM_SLOTS_MAX) < 0;
	good = good && seen(form, NULL, "title", form->title, path, why);
	for (int i = 0; good && i < cfg.groups_count; i++)
		good = add_slot(form, cfg.group_names[i], (struct form_slot_settings *)cfg.groups + i, path, why);
	if (!good || !check_person(form, path, why))
		form_release(&form);
	return form;
}

struct form *form_hold(const struct form *form)
{
	struct form *held = (struct form *)(uintptr_t)form;

	if (held != NULL)
		held->refs++;
	return held;
}

void form_release(struct form **form_at)
{
	struct form *form = *form_at;
	struct pl_pool *pool;

	*form_at = NULL;
	if (form == NULL || --form->refs > 0)
		return;
	pool = form->pool;
	for (int i = 0; i < form->count; i++) {
		/* regfree() accepts a zeroed regex_t */
		regfree(&form->slots[i].find);
		regfree(&form->slots[i].answer);
		regfree(&form->slots[i].pattern);
	}
	pl_pool_free(&pool);
}

int form_slot_find(const struct form *form, struct pl_str name)
{
	for (int i = 0; i < form->count; i++)
		if (pl_str_is(name, form->slots[i].name))
			return i;
	return -1;
}

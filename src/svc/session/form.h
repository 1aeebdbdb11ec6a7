/* SPDX-License-Identifier: ISC */
/*
 * Guided forms: ordered slots that are filled from free text. Pure: no database, no clock, no network.
 *
 * One message may fill several slots, correct earlier ones, or ask something in between. A step is: form_take() by the
 * reader (svc/read) and the form's patterns, optionally form_take_model() by a model's structured answer,
 * form_finish(), form_reply(). A value of the model passes the same checks as one of the reader.
 *
 * What was understood only in part is proposed: the form quotes it, and takes it when the person says yes.
 */
#ifndef SVC_FORM_H
#define SVC_FORM_H

#include <regex.h>

#include "cfg.h"
#include "json.h"
#include "str.h"
#include "svc/read/read.h"

#define FORM_SLOTS_MAX 16
#define FORM_GROUP_MAX 9

enum form_normal { FORM_TEXT, FORM_NAME, FORM_LOWER, FORM_AMOUNT, FORM_EMAIL, FORM_DATE, FORM_PHONE };
enum form_give_up { FORM_SKIP, FORM_HAND_OVER };
/* What replies show of a sensitive value: how long it is, or a part of it. */
enum form_show { FORM_SHOW_SIZE, FORM_SHOW_PART };
/* How a form ends that is not complete. */
enum form_over { FORM_GOES_ON, FORM_CANCELLED, FORM_HANDED_OVER };

/* As in the file; see etc/forms/contact.conf. */
struct form_slot_settings {
	const char *label, *ask, *retry, *why, *find, *answer, *pattern;
	const char *says;		/* phrases that introduce it, between "|" */
	struct pl_list words, reject;
	int normal;
	int per;			/* enum read_per: the period of an amount */
	int64_t find_group, answer_group;	/* which group of the expression is the value; 0: all of the match */
	int64_t min, max;		/* of an amount its value, else characters */
	const char *earliest, *latest;	/* of a date: YYYY-MM-DD */
	int64_t tries;			/* answers that did not do; 0: any number */
	int give_up;			/* what comes after them */
	bool whole, required, sensitive;
	int show;			/* enum form_show */
};

struct form_slot {
	const char *name;
	const struct form_slot_settings *s;
	regex_t find, answer, pattern;	/* compiled where given */
};

struct form {
	const char *name, *title, *greeting, *thanks, *cancelled, *handed_over;
	const char *person;		/* slot that holds the person's mail address; "": none */
	struct pl_list correct, cancel, aside;
	bool confirm;			/* it shows everything before it is complete */
	struct form_slot slots[FORM_SLOTS_MAX];
	int count;
	struct pl_pool *pool;		/* all of it */
	int refs;			/* it may have been replaced while messages are under way */
};

/* Reads one file. NULL and why[] "contact.conf:12: ..." when it is wrong; heap, for the process's life. */
struct form *form_read(const char *path, const char *name, char why[512]) PL_MUSTCHECK;
struct form *form_hold(const struct form *form);	/* NULL: NULL */
void form_release(struct form **form);			/* of NULL: nothing; clears *form */
int form_slot_find(const struct form *form, struct pl_str name);	/* -1: none */

/* form_clear.c: does a message ask to delete values, and nothing else? Sets clears and cleared of the step. */
struct form_state;
struct form_step;
bool form_clears(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step);

/* What is known before a message. */
struct form_state {
	bool filled[FORM_SLOTS_MAX];
	struct pl_str value[FORM_SLOTS_MAX];	/* of slots that are not sensitive; absent: not filled */
	struct pl_str secret[FORM_SLOTS_MAX];	/* values of sensitive slots; absent: not filled, or not to be opened */
	bool complete;
	int pending;				/* slot whose value was proposed and waits for a yes; -1: none */
	struct pl_str pending_value, pending_raw;
	int tries[FORM_SLOTS_MAX];
	int requested;			/* -1: none */
	enum form_over over;
};

struct form_step {
	struct pl_str value[FORM_SLOTS_MAX], raw[FORM_SLOTS_MAX];	/* value absent: nothing for this slot */
	bool weak[FORM_SLOTS_MAX];	/* found only because the slot was asked for */
	struct read_value read[FORM_SLOTS_MAX];	/* what the reader found, taken or not */
	int pending;			/* slot whose value is proposed; -1: none */
	struct pl_str pending_value, pending_raw;
	bool confirmed;			/* everything that was shown is right */
	bool denied;			/* what was proposed or shown is not right */
	bool disputed;			/* something that was noted is not right, and it is not said what */
	bool question;			/* the message asks something itself, or is about something else */
	bool aside;			/* only the latter, by its looks */
	bool cancelled;			/* the person wants no more of it */
	int reopened;			/* a correction was announced but not given; -1: none */
	bool clears;			/* the person wants values to be deleted */
	bool cleared[FORM_SLOTS_MAX];	/* these, which are there */
	bool mistyped;			/* pending_value is what was probably meant, not what was written */
	/* after form_finish(): */
	bool same[FORM_SLOTS_MAX];	/* what was said for the slot is what it has already */
	bool missed;			/* the requested slot was answered, but not well */
	bool complete;
	bool confirming;		/* all is there; the person is asked whether it is right */
	enum form_over over;
	int skipped;			/* slot that was tried too often; -1: none */
	int found, requested;
	int tries[FORM_SLOTS_MAX];
};

/* Does the slot have a value after the step? */
bool form_has(const struct form_state *state, const struct form_step *step, int slot);
/* The first required slot that is neither filled nor given up; -1: none. */
int form_next(const struct form *form, const struct form_state *state);
void form_take(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step_r);
/* What a model is told, and its answer {"slots":{...},"question":bool}; false: it is none, the step stays as it is. */
struct pl_str form_prompt(const struct form *form, struct pl_pool *pool, const struct form_state *state);
bool form_take_model(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    struct pl_str answer, struct pl_str text, struct form_step *step);
void form_finish(const struct form *form, const struct form_state *state, struct form_step *step);
/*
 * The form's own words after a step: what was noted, then the next request. May be empty when it was complete before.
 */
struct pl_str form_reply(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step);
/* Is the next request all that the form has to say: nothing was noted, proposed, or missed? */
bool form_only_asks(const struct form_step *step);
/*
 * The message as it may be stored: sensitive parts are replaced by their label, also what was given before and is said
 * again.
 */
struct pl_str form_mask(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step, struct pl_str text);
/* One of the greetings; pick is any number. */
struct pl_str form_greeting(const struct form *form, uint32_t pick);

/* form_value.c: a text, normalised and checked; absent: it does not pass. Of values of the reader only the checks. */
struct pl_str form_value(const struct form_slot *slot, struct pl_pool *pool, struct pl_str text);
/* Does the reader find its values? The others are found by the form's patterns. */
bool form_is_read(const struct form_slot *slot);
struct read_want form_want(const struct form *form, const struct form_state *state, int slot);
/* How replies show it: "80,000", "1 February 2026"; a sensitive one masked. */
struct pl_str form_shown(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value);
/* No required slot is empty, at least one has a value, nobody ended it, and it was confirmed where it has to be. */
bool form_is_complete(const struct form *form, const struct form_state *state, bool confirmed);
/* Is one of the words in the text, as a whole word without regard to case? */
bool form_has_word(struct pl_str text, const struct pl_list *words);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Guided forms: ordered slots that are filled from free text. Pure: no database, no clock, no network.
 *
 * One message may fill several slots, correct earlier ones, or ask something in between. A step is: form_take() by the
 * form's patterns, optionally form_take_model() by a model's structured answer, form_finish(), form_reply(). Whoever
 * found a value, it passes the same normaliser and validator.
 */
#ifndef SVC_FORM_H
#define SVC_FORM_H

#include <regex.h>

#include "cfg.h"
#include "json.h"
#include "str.h"

#define FORM_SLOTS_MAX 16
#define FORM_GROUP_MAX 9
#define FORM_TEXT_MAX 2048	/* bytes of a message that patterns look at */

enum form_normal { FORM_TEXT, FORM_NAME, FORM_LOWER, FORM_AMOUNT };
enum form_give_up { FORM_SKIP, FORM_HAND_OVER };
/* How a form ends that is not complete. */
enum form_over { FORM_GOES_ON, FORM_CANCELLED, FORM_HANDED_OVER };

/* As in the file; see etc/forms/contact.conf. */
struct form_slot_settings {
	const char *label, *ask, *retry, *find, *answer, *pattern;
	struct pl_list words, reject;
	int normal;
	int64_t find_group, answer_group;	/* which group of the expression is the value; 0: all of the match */
	int64_t min, max;		/* of an amount its value, else characters */
	int64_t tries;			/* answers that did not do; 0: any number */
	int give_up;			/* what comes after them */
	bool whole, required, sensitive;
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

/* What is known before a message. */
struct form_state {
	bool filled[FORM_SLOTS_MAX];
	struct pl_str secret[FORM_SLOTS_MAX];	/* values of sensitive slots; absent: not filled, or not to be opened */
	int tries[FORM_SLOTS_MAX];
	int requested;			/* -1: none */
	enum form_over over;
};

struct form_step {
	struct pl_str value[FORM_SLOTS_MAX], raw[FORM_SLOTS_MAX];	/* value absent: nothing for this slot */
	bool weak[FORM_SLOTS_MAX];	/* found only because the slot was asked for */
	bool question;			/* the message asks something itself, or is about something else */
	bool aside;			/* only the latter, by its looks */
	bool cancelled;			/* the person wants no more of it */
	int reopened;			/* a correction was announced but not given; -1: none */
	/* after form_finish(): */
	bool missed;			/* the requested slot was answered, but not well */
	bool complete;
	enum form_over over;
	int skipped;			/* slot that was tried too often; -1: none */
	int found, requested;
	int tries[FORM_SLOTS_MAX];
};

/* The first required slot that is neither filled nor given up; -1: none. */
int form_next(const struct form *form, const struct form_state *state);
void form_take(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step_r);
/* What a model is told, and its answer {"slots":{...},"question":bool}; false: it is none, the step stays as it is. */
struct pl_str form_prompt(const struct form *form, struct pl_pool *pool, const struct form_state *state);
bool form_take_model(const struct form *form, struct pl_pool *pool, struct pl_str answer, struct pl_str text,
    struct form_step *step);
void form_finish(const struct form *form, const struct form_state *state, struct form_step *step);
/*
 * The form's own words after a step: what was noted, then the next request. May be empty when it was complete before.
 */
struct pl_str form_reply(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step);
/*
 * The message as it may be stored: sensitive parts are replaced by their label, also what was given before and is said
 * again.
 */
struct pl_str form_mask(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step, struct pl_str text);
/* One of the greetings; pick is any number. */
struct pl_str form_greeting(const struct form *form, uint32_t pick);

/* form_value.c: the value in a piece of text, normalised and checked; absent: there is none. */
struct pl_str form_value(const struct form_slot *slot, struct pl_pool *pool, struct pl_str text);
/* Is one of the words in the text, as a whole word without regard to case? */
bool form_has_word(struct pl_str text, const struct pl_list *words);

#endif

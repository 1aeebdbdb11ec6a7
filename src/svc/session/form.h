/* SPDX-License-Identifier: ISC */
/*
 * Guided forms: ordered slots that are filled from free text. Pure: no database, no clock, no network.
 *
 * One message may fill several slots, correct earlier ones, or ask something in between. A step consists of form_take()
 * with the reader (svc/read) and the patterns of the form, optionally form_take_model() with the structured answer of a
 * model, form_finish(), and form_reply(). A value of the model passes the same checks as one of the reader.
 *
 * If a value was understood only in part, the form quotes it as a proposal, and takes it when the person says yes.
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
/* What replies show of a sensitive value: its length, or a part of it. */
enum form_show { FORM_SHOW_SIZE, FORM_SHOW_PART };
/* How a form ends that is not complete. */
enum form_over { FORM_GOES_ON, FORM_CANCELLED, FORM_HANDED_OVER };

/* A slot as in the file; see etc/forms/contact.conf. */
struct form_slot_settings {
	const char *label, *ask, *retry, *why, *find, *answer, *pattern;
	const char *says;		/* phrases that introduce it, separated by "|" */
	struct pl_list words, reject;
	int normal;
	int per;			/* enum read_per: the period of an amount */
	int64_t find_group, answer_group;	/* group of the expression that has the value; 0: the whole match */
	int64_t min, max;		/* of an amount its value, otherwise characters */
	const char *earliest, *latest;	/* of a date: YYYY-MM-DD */
	int64_t tries;			/* maximum of failed attempts; 0: no maximum */
	int give_up;			/* what happens after them */
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
	const char *person;		/* slot with the mail address of the person; "": none */
	struct pl_list correct, cancel, aside;
	bool confirm;			/* it shows all values before it is complete */
	struct form_slot slots[FORM_SLOTS_MAX];
	int count;
	struct pl_pool *pool;		/* owns everything in it */
	int refs;			/* a reload may replace it while messages are in progress */
};

/* Reads one file. NULL and why[] "contact.conf:12: ..." if it is invalid; on the heap, for the life of the process. */
struct form *form_read(const char *path, const char *name, char why[512]) PL_MUSTCHECK;
struct form *form_hold(const struct form *form);	/* NULL gives NULL */
void form_release(struct form **form);			/* clears *form; NULL has no effect */
int form_slot_find(const struct form *form, struct pl_str name);	/* -1: none */

/* form_clear.c: does the message only ask to delete values? Sets clears and cleared of the step. */
struct form_state;
struct form_step;
bool form_clears(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step);

/* The state before a message. */
struct form_state {
	bool filled[FORM_SLOTS_MAX];
	struct pl_str value[FORM_SLOTS_MAX];	/* of slots that are not sensitive; absent: not filled */
	struct pl_str secret[FORM_SLOTS_MAX];	/* values of sensitive slots; absent: not filled, or unreadable */
	bool complete;
	int pending;				/* slot whose proposed value waits for a yes; -1: none */
	struct pl_str pending_value, pending_raw;
	int tries[FORM_SLOTS_MAX];
	int requested;			/* -1: none */
	enum form_over over;
};

struct form_step {
	struct pl_str value[FORM_SLOTS_MAX], raw[FORM_SLOTS_MAX];	/* value absent: nothing for this slot */
	bool weak[FORM_SLOTS_MAX];	/* found only because the slot was asked for */
	struct read_value read[FORM_SLOTS_MAX];	/* what the reader found, whether taken or not */
	int pending;			/* slot whose value is proposed; -1: none */
	struct pl_str pending_value, pending_raw;
	bool confirmed;			/* everything that was shown is correct */
	bool denied;			/* what was proposed or shown is wrong */
	bool disputed;			/* a stored value is wrong, but the message does not say which */
	bool question;			/* the message contains a question, or is about something else */
	bool aside;			/* only the latter, judging by its form */
	bool cancelled;			/* the person wants to end the form */
	int reopened;			/* slot whose correction was announced but not given; -1: none */
	bool clears;			/* the person wants values to be deleted */
	bool cleared[FORM_SLOTS_MAX];	/* slots with a value whose deletion was requested */
	bool mistyped;			/* pending_value is a correction of a typing error, not the text as written */
	/* after form_finish(): */
	bool same[FORM_SLOTS_MAX];	/* the given value is the one that the slot has already */
	bool missed;			/* the requested slot was answered, but not with a valid value */
	bool complete;
	bool confirming;		/* all values are present; the person is asked to confirm them */
	enum form_over over;
	int skipped;			/* slot with too many failed attempts; -1: none */
	int found, requested;
	int tries[FORM_SLOTS_MAX];
};

/* Returns whether the slot has a value after the step. */
bool form_has(const struct form_state *state, const struct form_step *step, int slot);
/* The first required slot that is neither filled nor skipped; -1: none. */
int form_next(const struct form *form, const struct form_state *state);
void form_take(const struct form *form, struct pl_pool *pool, const struct form_state *state, struct pl_str text,
    struct form_step *step_r);
/*
 * The instructions for a model, and its answer {"slots":{...},"question":bool}; false: the answer is invalid, and the
 * step is not changed.
 */
struct pl_str form_prompt(const struct form *form, struct pl_pool *pool, const struct form_state *state);
bool form_take_model(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    struct pl_str answer, struct pl_str text, struct form_step *step);
void form_finish(const struct form *form, const struct form_state *state, struct form_step *step);
/*
 * The reply of the form after a step: the values it stored, then the next request. May be empty if it was complete
 * before.
 */
struct pl_str form_reply(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step);
/* Returns whether the reply would be only the next request: nothing was stored, proposed, or misunderstood. */
bool form_only_asks(const struct form_step *step);
/*
 * The message as it may be stored: a label replaces each sensitive part, also values that were given before and are
 * repeated.
 */
struct pl_str form_mask(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step, struct pl_str text);
/* One of the greetings; pick is any number. */
struct pl_str form_greeting(const struct form *form, uint32_t pick);

/* form_value.c: a text, normalized and checked; absent: it is invalid. Values of the reader are only checked. */
struct pl_str form_value(const struct form_slot *slot, struct pl_pool *pool, struct pl_str text);
/* Returns whether the reader finds its values; otherwise the patterns of the form do. */
bool form_is_read(const struct form_slot *slot);
struct read_want form_want(const struct form *form, const struct form_state *state, int slot);
/* A value as replies show it: "80,000", "1 February 2026"; a sensitive one is masked. */
struct pl_str form_shown(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value);
/*
 * No required slot is empty, at least one has a value, nobody ended the form, and it was confirmed if that is required.
 */
bool form_is_complete(const struct form *form, const struct form_state *state, bool confirmed);
/* Returns whether the text contains one of the words as a whole word, without regard to case. */
bool form_has_word(struct pl_str text, const struct pl_list *words);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Internals of the built-in responder: the conversation as its rules see it, and helpers of the rules.
 */
#ifndef LLM_LLM_LOCAL_H
#define LLM_LLM_LOCAL_H

#include "llm/llm_dialect.h"

struct llm_talk {
	const struct llm_request *request;
	struct pl_pool *pool;
	bool found;			/* there is a message of the user */
	struct pl_str last, name;	/* the newest message of the user without the mention, and its author */
	const struct llm_message *before;	/* the previous message of the same user, or NULL */
	const char *plain;		/* `last` in lower case: words with single blanks between, before, and after */
	const char *core;		/* `plain` without words that only introduce or end a request */
	const struct llm_message *own;	/* the newest answer, or NULL */
};

#define LLM_LOCAL_AM "I am an automatic assistant (Parlour's offline responder) and answer by simple rules."
#define LLM_LOCAL_CAN_QUOTE "I can quote the documents of the knowledge base"
#define LLM_LOCAL_CAN \
	LLM_LOCAL_CAN_QUOTE ", repeat what was said, tell the time, work out a sum " \
	"(\"what is 12 * 7?\"), and tell you how to reach a person (\"I want to talk to a person\")."
#define LLM_LOCAL_NOT_HERE "I cannot connect you to a person from here"
#define LLM_LOCAL_WAITING "A person has been asked to take over already."

enum llm_sum { LLM_SUM_NONE, LLM_SUM_UNDEFINED, LLM_SUM_VALUE };
/*
 * The first arithmetic expression in a text: numbers, + - * / and parentheses, with at least one operator; at most 32
 * levels deep, in the first 1024 bytes. sum_r is the part of `text` that contains it. LLM_SUM_UNDEFINED: division by
 * zero or too large.
 */
enum llm_sum llm_local_sum(struct pl_str text, struct pl_str *sum_r, double *value_r);

/*
 * The same, if the whole text asks for it: "what is 12 * 7?". Dates, phone and order numbers, and 24/7 are not such
 * questions.
 */
enum llm_sum llm_local_asked_sum(struct pl_str text, struct pl_str *sum_r, double *value_r);

/*
 * Returns whether words mean a name or label of a fact: "e mail address" by "email", "email address" by "E-mail". said:
 * plain words.
 */
bool llm_local_same_label(const char *said, struct pl_str label);
/*
 * Finds the first passage with enough words of the question; returns its sentence with most of them, and its mark.
 * about: a single word must be the topic of the sentence. false: there is no such passage.
 */
bool llm_local_passage(const struct llm_talk *talk, bool about, struct pl_buf *out);

/* Returns whether a word has no meaning in a question. */
bool llm_local_filler(struct pl_str word);

/* llm_local_answer.c */
void llm_local_talk(struct llm_talk *talk, struct pl_pool *pool, const struct llm_request *request);

/* ---- llm_local_mood.c ---- */

/*
 * Returns whether the text contains one of the phrases as whole words; whether the whole text is one of them. Lists end
 * with NULL.
 */
bool llm_local_has_any(const struct llm_talk *talk, const char *const *phrases);
bool llm_local_is_any(const char *text, const char *const *phrases);
/* The first of the sentences that the last answer does not contain. */
const char *llm_local_pick(const struct llm_talk *talk, const char *const *sentences);
/* How to reach a person, or that a person was asked. false: the last answer said it, or there is no way. */
bool llm_local_reach(const struct llm_talk *talk, struct pl_buf *out);
/* Rules: each returns whether it applies and has answered. */
bool llm_local_courtesy(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_presence(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_foreign(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_upset(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_anything(const struct llm_talk *talk, struct pl_buf *out);

#endif

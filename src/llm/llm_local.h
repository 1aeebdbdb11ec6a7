/* SPDX-License-Identifier: ISC */
/*
 * Inside of the built-in responder: the conversation as its rules see it, and the rules' helpers.
 */
#ifndef LLM_LLM_LOCAL_H
#define LLM_LLM_LOCAL_H

#include "llm/llm_dialect.h"

struct llm_talk {
	const struct llm_request *request;
	struct pl_pool *pool;
	bool found;			/* there is a user's message */
	struct pl_str last, name;	/* the newest user's message without the mention, and who wrote it */
	const struct llm_message *before;	/* the same user's message before that, or NULL */
	const char *plain;		/* `last` in lower case: words between single blanks, framed by blanks */
	const char *core;		/* `plain` without what only introduces or ends a request */
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
 * The first sum in a text: numbers, + - * / and brackets, with at least one operator; at most 32 brackets deep, in
 * the first 1024 bytes. sum_r is the part of `text` that holds it. LLM_SUM_UNDEFINED: division by zero or too large.
 */
enum llm_sum llm_local_sum(struct pl_str text, struct pl_str *sum_r, double *value_r);

/* The same, where the whole text asks for it: "what is 12 * 7?". Dates, phone and order numbers, and 24/7 do not. */
enum llm_sum llm_local_asked_sum(struct pl_str text, struct pl_str *sum_r, double *value_r);

/* Is a name or label of a fact meant: "e mail address" by "email", "email address" by "E-mail"? said: plain words. */
bool llm_local_same_label(const char *said, struct pl_str label);
/*
 * Of the first passage that has enough of the question's words, the sentence that has most of them, and its mark.
 * about: a single word has to be what the sentence is about. False: there is no such passage.
 */
bool llm_local_passage(const struct llm_talk *talk, bool about, struct pl_buf *out);

/* A word that says nothing about what is asked. */
bool llm_local_filler(struct pl_str word);

/* llm_local_answer.c */
void llm_local_talk(struct llm_talk *talk, struct pl_pool *pool, const struct llm_request *request);

/* ---- llm_local_mood.c ---- */

/* Is one of the phrases in it, in whole words? Is the whole of the text one of them? Lists end with NULL. */
bool llm_local_has_any(const struct llm_talk *talk, const char *const *phrases);
bool llm_local_is_any(const char *text, const char *const *phrases);
/* The first of the sentences that the last answer does not have. */
const char *llm_local_pick(const struct llm_talk *talk, const char *const *sentences);
/* How to reach a person, or that one was asked. False: the last answer said it, or there is no way. */
bool llm_local_reach(const struct llm_talk *talk, struct pl_buf *out);
/* Rules: each says whether it applies, and has answered then. */
bool llm_local_courtesy(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_presence(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_foreign(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_upset(const struct llm_talk *talk, struct pl_buf *out);
bool llm_local_anything(const struct llm_talk *talk, struct pl_buf *out);

#endif

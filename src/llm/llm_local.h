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
 * From the best of the request's passages the sentence that has most words of the question, and its mark.
 * False: there is no passage.
 */
bool llm_local_passage(const struct llm_talk *talk, struct pl_buf *out);

/* A word that says nothing about what is asked. */
bool llm_local_filler(struct pl_str word);

#endif

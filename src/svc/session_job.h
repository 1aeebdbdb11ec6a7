/* SPDX-License-Identifier: ISC */
/*
 * One message and its answer on their way, shared by session*.c only.
 */
#ifndef SVC_SESSION_JOB_H
#define SVC_SESSION_JOB_H

#include <event2/event.h>

#include "svc/forms.h"
#include "svc/knowledge.h"
#include "svc/session.h"

struct sessions {
	struct svc *svc;
	struct session_job *jobs;
	int running;
	bool stopping;
};

struct session_job {
	struct sessions *sessions;
	const struct config *config;		/* held */
	struct pl_task *task;			/* its own; the asker may be long gone */
	struct session_job *prev, *next;
	char id[PL_UUID_LEN + 1];		/* of the session */
	const struct form *form;		/* NULL: a free chat */
	struct form_state state;
	struct form_step step;
	struct pl_str message, masked, form_text;
	struct knowledge_found found;		/* passages for the model */
	int64_t question;			/* seq of the message once it is stored */
	int64_t user_id;

	struct pl_task *asker;			/* held until it was told; NULL: nobody waits */
	session_delta_fn *delta;
	session_reply_fn *done;
	void *arg;

	struct pl_buf text;			/* heap: the answer */
	struct pl_buf extracted;		/* heap: the model's structured answer */
	int index;				/* place in shared memory; -1: none */
	struct llm_call *call;
	bool cut, full, adopted;
	struct event *retry;
	struct session_answer end;
	int64_t extract_prompt, extract_completion;	/* tokens of the form's question to the model */
	int64_t extract_cost;			/* what that upstream told; -1: it did not */
	struct pl_str extract_model;
	bool extracting;			/* there was such a question */
	struct pl_err err;			/* of the model; PL_E_OK: none */
};

struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id);
void session_job_free(struct session_job *job);
/* Tells the asker, once. err NULL: the answer. */
void session_job_tell(struct session_job *job, const struct pl_err *err);
/* More of the answer: kept, shared, told. */
void session_job_text(struct session_job *job, struct pl_str text);
/* The answer is whole, or as whole as it gets: stores it. */
void session_job_store(struct session_job *job);

#endif

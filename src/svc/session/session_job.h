/* SPDX-License-Identifier: ISC */
/*
 * One message and its answer on their way, shared by session*.c only.
 */
#ifndef SVC_SESSION_JOB_H
#define SVC_SESSION_JOB_H

#include <event2/event.h>

#include "db/repo/repo_session_talk.h"
#include "svc/session/forms.h"
#include "svc/knowledge/knowledge.h"
#include "svc/session/session.h"

struct sessions {
	struct svc *svc;
	struct session_job *jobs;
	int running;
	bool stopping;
};

struct session_job {
	struct sessions *sessions;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;			/* its own; the asker may be long gone */
	struct session_job *prev, *next;
	char id[PL_UUID_LEN + 1];		/* of the session; of an adopted one not known */
	char token[PL_UUID_LEN + 1];		/* of the message, and its name in shared memory */
	int64_t user_id;
	struct pl_str message;			/* as it was said */
	struct pl_str masked;			/* as it is stored */
	int64_t question;			/* its seq once it is stored */

	struct form *form;			/* held; NULL: a free chat */
	struct form_state state;
	struct form_step step;
	struct pl_str values[FORM_SLOTS_MAX];	/* of slots that are not sensitive: what is stored or will be */
	struct pl_str form_text;
	int64_t form_seq;
	bool is_complete, is_lead;
	int rereads;

	struct pl_task *asker;			/* held until it was told; NULL: nobody waits */
	session_delta_fn *delta;
	session_reply_fn *done;
	void *arg;

	struct knowledge_found found;		/* passages for the model */
	struct llm_request ask;			/* its texts live in the task's pool */
	llm_delta_fn *ask_delta;
	llm_done_fn *ask_done;
	struct pl_buf text;			/* heap: the answer */
	struct pl_buf extracted;		/* heap: the model's structured answer */
	bool extracts;				/* it was asked for one */
	int index;				/* place in shared memory; -1: none */
	struct llm_call *call;
	bool cut, full, again;
	struct event *retry;			/* what the database could not do */
	struct event *turn;			/* looks whether earlier messages have their answers */
	bool waiting;				/* for its turn */
	int looks;
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

/* session_form.c: the form as it stands, and what the message says to it by the form's patterns. */
void session_form_read(struct session_job *job, const struct session *session);
/* The step as it is stored and answered: content, form, form_seq and mails of *in. */
void session_form_step(struct session_job *job, struct session_message *in);

/* session_turn.c: the message is stored; its answer begins when all before it have theirs. */
void session_turn_wait(struct session_job *job, int64_t ahead);
/* session_talk.c: it is this message's turn. */
void session_turn_come(struct session_job *job);
/* A message of this session on this worker has its answer. */
void session_turn_over(struct sessions *sessions, const char *id);

#endif

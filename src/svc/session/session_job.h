/* SPDX-License-Identifier: ISC */
/*
 * One message and its answer on their way, shared by session*.c only.
 */
#ifndef SVC_SESSION_JOB_H
#define SVC_SESSION_JOB_H

#include <event2/event.h>

#include "db/repo/repo_session_talk.h"
#include "svc/answer/answer.h"
#include "svc/session/forms.h"
#include "svc/session/session.h"

struct sessions {
	struct svc *svc;
	struct session_job *jobs;
};

struct session_job {
	struct sessions *sessions;
	struct answer *answer;			/* to the message; its id is the message's token */
	CONFIG_BORROWED const struct config *config;	/* the answer's */
	struct pl_task *task;			/* the answer's, which this lies in */
	struct session_job *prev, *next;
	char id[PL_UUID_LEN + 1];		/* of the session; of an adopted one not known */
	int64_t user_id;
	struct pl_str message;			/* as it was said */
	struct pl_str masked;			/* as it is stored */
	int64_t question;			/* its seq once it is stored */

	struct form *form;			/* held; NULL: a free chat */
	struct form_state state;
	struct form_step step;
	struct pl_str values[FORM_SLOTS_MAX];	/* of slots that are not sensitive: what is stored or will be */
	struct pl_str form_text;
	bool form_quiet;			/* it asks again later: not after every answer */
	int64_t form_seq;
	bool is_complete, is_lead;
	bool mails;				/* storing the message queues mails */
	int rereads;

	struct pl_task *asker;			/* held until it was told; NULL: nobody waits */
	session_delta_fn *delta;
	session_reply_fn *done;
	void *arg;

	struct event *turn;			/* looks whether earlier messages have their answers */
	bool waiting;				/* for its turn */
	int looks;
	struct session_answer end;
	const char *stop;			/* why the model's text ends; NULL: no model was asked, or it failed */
	struct answer *extraction;		/* the form asks a model now */
	bool extracting;			/* the form asked a model */
	struct pl_str extracted;		/* its structured answer */
	int64_t extract_prompt, extract_completion;	/* tokens of that */
	int64_t extract_cost;			/* what that upstream told; -1: it did not */
	struct pl_str extract_model;
	struct pl_err err;			/* of the model; PL_E_OK: none */
};

/* session_answer.c: a message with its answer, which has not begun. */
struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id);
/* Tells the asker, once. err NULL: the answer. */
void session_job_tell(struct session_job *job, const struct pl_err *err);
/* Takes its place in shared memory, where others can read, stop, and end it; it may go on without one. */
void session_job_place(struct session_job *job);
/* It is this message's turn: the form answers by itself, or a model is asked. */
void session_job_answer(struct session_job *job);
/* It failed: the asker gets the reason, and nothing is stored. */
void session_job_give_up(struct session_job *job, const struct pl_err *err);
/* Nobody knows whether the message was stored: if it was, it shall not keep those behind it waiting. */
void session_job_withdraw(struct session_job *job, const struct pl_err *err);

/* session_ask.c: should this answer leave out the form's request? The message is the last one of history. */
bool session_ask_later(const struct session_job *job, const struct session_history *history);

/* session_extract.c: is there a model to ask for the form's values, and anything to find? */
bool session_extract_wanted(const struct session_job *job);
/* Asks it. false: it is not wanted. */
bool session_extract(struct session_job *job, void (*done)(struct session_job *job));

/* session_form.c: the form as it stands, and what the message says to it by the form's patterns. */
void session_form_read(struct session_job *job, const struct session *session);
/* What the form waits for, as it says it: a yes to a proposal or to everything, or a value; "": nothing. */
struct pl_str session_form_open(const struct config *config, struct pl_pool *pool, const struct form *form,
    const struct session *session);
/* The step as it is stored and answered: content, form, form_seq and mails of *in. */
void session_form_step(struct session_job *job, struct session_message *in);

/*
 * session_person.c: the user wants to talk to a person, and there is no model. Creates a feedback request over the
 * channel in the settings, or says how to reach a person; then calls answer_ready().
 */
void session_person(struct session_job *job);
/* Checks whether the last such request was delivered, so that the answer can report it; then calls answer_ready(). */
void session_person_check(struct session_job *job);

/* session_turn.c: the message is stored; its answer begins when all before it have theirs. */
void session_turn_wait(struct session_job *job, int64_t ahead);
/* A message of this session on this worker has its answer. */
void session_turn_over(struct sessions *sessions, const char *id);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * One message and its answer in progress, shared by session*.c only.
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
	struct answer *answer;			/* seq of the answer's message; its id is the token of the message */
	CONFIG_BORROWED const struct config *config;	/* the task of the answer */
	struct pl_task *task;			/* the answer, which contains this */
	struct session_job *prev, *next;
	char id[PL_UUID_LEN + 1];		/* of the session; unknown for an adopted one */
	int64_t user_id;
	struct pl_str message;			/* the text as sent */
	struct pl_str masked;			/* the text as stored */
	int64_t question;			/* its seq after it is stored */

	struct form *form;			/* held; NULL: a free conversation */
	struct form_state state;
	struct form_step step;
	struct pl_str values[FORM_SLOTS_MAX];	/* of slots that are not sensitive: values that are or will be stored */
	struct pl_str form_text;
	bool form_quiet;			/* the request is left out of this answer and repeated later */
	int64_t form_seq;
	bool is_complete, is_lead;
	bool mails;				/* storing the message also queues mails */
	int rereads;

	struct pl_task *asker;			/* held until the asker was notified; NULL: nobody waits */
	session_delta_fn *delta;
	session_reply_fn *done;
	void *arg;

	struct event *turn;			/* checks whether earlier messages have their answers */
	bool waiting;				/* waits for its turn */
	int looks;
	struct session_answer end;
	const char *stop;			/* why the model's text ends; NULL: no model, or it failed */
	struct answer *extraction;		/* the form is asking a model */
	bool extracting;			/* the form asked a model */
	struct pl_str extracted;		/* its structured answer */
	int64_t extract_prompt, extract_completion;	/* its tokens */
	int64_t extract_cost;			/* cost that the upstream reported; -1: none */
	struct pl_str extract_model;
	struct pl_err err;			/* of the model; PL_E_OK: none */
};

/* session_answer.c: creates a message with its answer, which has not started. */
struct session_job *session_job_new(struct sessions *sessions, const struct config *config, const char *id);
/* Notifies the asker, once. err NULL: the answer. */
void session_job_tell(struct session_job *job, const struct pl_err *err);
/*
 * Takes a place in shared memory, where other processes can read, stop, and end the answer; it may continue without
 * one.
 */
void session_job_place(struct session_job *job);
/* The turn of this message has come: the form answers alone, or a model is asked. */
void session_job_answer(struct session_job *job);
/* It failed: the asker gets the reason, and nothing is stored. */
void session_job_give_up(struct session_job *job, const struct pl_err *err);
/* It is unknown whether the message was stored; if it was, messages after it must not wait for its answer. */
void session_job_withdraw(struct session_job *job, const struct pl_err *err);

/*
 * session_ask.c: returns whether this answer should omit the request of the form. The message is the last one of
 * history.
 */
bool session_ask_later(const struct session_job *job, const struct session_history *history);

/* session_extract.c: returns whether there is a model to ask for values of the form, and values to find. */
bool session_extract_wanted(const struct session_job *job);
/* Asks the model. false: that is not configured. */
bool session_extract(struct session_job *job, void (*done)(struct session_job *job));

/* session_form.c: the current form, and the result of its patterns for the message. */
void session_form_read(struct session_job *job, const struct session *session);
/* The pending request in the words of the form: a yes to a proposal or to all values, or a value; "": nothing. */
struct pl_str session_form_open(const struct config *config, struct pl_pool *pool, const struct form *form,
    const struct session *session);
/* The step in the form for storing: sets content, form, form_seq and mails of *in. */
void session_form_step(struct session_job *job, struct session_message *in);

/*
 * session_person.c: the user wants to talk to a person, and there is no model. Creates a feedback request over the
 * channel in the settings, or says how to reach a person; then calls answer_ready().
 */
void session_person(struct session_job *job);
/* Checks whether the last such request was delivered, so that the answer can report it; then calls answer_ready(). */
void session_person_check(struct session_job *job);

/* session_turn.c: the message is stored; its answer starts when all earlier messages have theirs. */
void session_turn_wait(struct session_job *job, int64_t ahead);
/* A message of this session on this worker got its answer. */
void session_turn_over(struct sessions *sessions, const char *id);

#endif

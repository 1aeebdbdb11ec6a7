/* SPDX-License-Identifier: ISC */
/*
 * What is said in sessions (tables session_messages, session_questions). Nothing here checks whose a session is.
 */
#ifndef DB_REPO_SESSION_TALK_H
#define DB_REPO_SESSION_TALK_H

#include "db/db.h"

enum session_author { SESSION_USER, SESSION_ASSISTANT };

struct session_message {
	struct pl_str id, token, content;	/* token: a UUID; the same one is stored once */
	int64_t life_ms;
	int64_t form_seq;			/* of the session as it was read */
	bool user;				/* not a guest's session */
	int64_t guests_max;			/* sessions of one guest address that may count; users have no such */
	struct pl_str form, mails;		/* JSON, see session_learn(); absent: no form, mail is off */
};
/*
 * Before something is paid for a message: takes the place that the first message of a guest's session needs.
 * PL_E_SESSION_LIMIT: its address has guests_max others.
 */
void repo_session_reserve(struct db *db, struct pl_task *task, struct pl_str id, int64_t guests_max, db_done_fn *done,
    void *arg);
/* ahead: so many earlier messages wait for their answer. stale: the form has changed since, nothing was stored. */
struct session_said { int64_t seq, ahead; bool stale; };
typedef void (repo_session_said_fn)(void *arg, const struct session_said *said, const struct pl_err *err);
/*
 * Stores a person's message, and what it did to the form. PL_E_NOT_FOUND, PL_E_CONFLICT (the session is over),
 * PL_E_SESSION_LIMIT (the first message of a guest whose address has guests_max others).
 */
void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg);
/* How many messages before this one still wait for their answer. */
void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done,
    void *arg);

struct session_line { int author; struct pl_str content; };
struct session_history { const struct session_line *rows; int count; };
typedef void (repo_session_history_fn)(void *arg, const struct session_history *history, const struct pl_err *err);
/*
 * The newest `limit` messages up to `seq` with the answers to those before it, each behind its question. Of a longer
 * text come the last `most` characters.
 */
void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit, int most,
    repo_session_history_fn *done, void *arg);

enum session_outcome { SESSION_DONE, SESSION_FAILED, SESSION_CANCELLED, SESSION_INTERRUPTED };
extern const char *const session_outcome_words[];	/* ends with NULL */

/* A message as clients see it. reply_to 0: none. */
struct session_entry {
	int64_t seq, reply_to, created_us;
	int author;
	enum session_outcome state;
	struct pl_str content, model, citations, reasoning;	/* absent: none */
};
/* ascending; more: in that direction */
struct session_page { const struct session_entry *rows; int count; bool more; };
typedef void (repo_session_page_fn)(void *arg, const struct session_page *page, const struct pl_err *err);
/*
 * after >= 0: with a greater seq; else before > 0: with a smaller one; else the newest. Ends before the message that
 * would take its texts beyond `bytes`, but has one message at least. No access check.
 */
void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before,
    int limit, int bytes, repo_session_page_fn *done, void *arg);

struct session_answer {
	struct pl_str id;
	int64_t question;			/* seq of the message that it answers; 0: id is the message's token */
	struct pl_str content, model;		/* model absent: no model wrote it */
	enum session_outcome state;
	int64_t prompt_tokens, completion_tokens;	/* -1: unknown */
	bool estimated;				/* the tokens are */
	struct pl_str citations;		/* JSON list; absent: none */
	struct pl_str reasoning;		/* what the model thought; absent: nothing */
	struct pl_str upstream;			/* absent: none was asked */
	int64_t cost_micros;			/* as the upstream told; -1: it did not */
};
/* session: absent when there is nothing to answer any more. cost_micros: as told, or by the prices; -1: not known. */
struct session_answered { struct pl_str session; int64_t cost_micros; };
typedef void (repo_session_answered_fn)(void *arg, const struct session_answered *answered, const struct pl_err *err);
/* Stores it, once. PL_E_NOT_FOUND. */
void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in,
    repo_session_answered_fn *done, void *arg);
/* The clerk: these slots of this daemon live. *result: how many messages they answer. */
void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg);
/* Marks at most `limit` messages interrupted whose worker no clerk has seen for 5 s. */
void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

#endif

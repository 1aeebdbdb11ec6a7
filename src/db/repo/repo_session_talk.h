/* SPDX-License-Identifier: ISC */
/*
 * Messages of sessions (tables session_messages, session_questions). These functions do not check the owner of a
 * session.
 */
#ifndef DB_REPO_SESSION_TALK_H
#define DB_REPO_SESSION_TALK_H

#include "db/db.h"

enum session_author { SESSION_USER, SESSION_ASSISTANT };

struct session_message {
	struct pl_str id, token, content;	/* token: a UUID; the same one is stored once */
	int64_t life_ms;
	int64_t form_seq;			/* of the session as it was read */
	bool user;				/* not a session of a guest */
	int64_t guests_max;			/* maximum number of sessions per guest address; no limit for users */
	struct pl_str form, mails;		/* JSON, see session_learn(); absent: no form, mail is off */
};
/*
 * Reserves the place that the first message of a session of a guest needs, before a message causes cost.
 * PL_E_SESSION_LIMIT: its address has guests_max other sessions.
 */
void repo_session_reserve(struct db *db, struct pl_task *task, struct pl_str id, int64_t guests_max, db_done_fn *done,
    void *arg);
/*
 * ahead: number of earlier messages that wait for their answer. stale: the form has changed since, nothing was stored.
 */
struct session_said { int64_t seq, ahead; bool stale; };
typedef void (repo_session_said_fn)(void *arg, const struct session_said *said, const struct pl_err *err);
/*
 * Stores the message of a person, and its changes of the form. PL_E_NOT_FOUND, PL_E_CONFLICT (the session has ended),
 * PL_E_SESSION_LIMIT (the first message of a guest whose address has guests_max others).
 */
void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg);
/* The number of earlier messages that wait for their answer. */
void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done,
    void *arg);

/* whole: not an answer that ended before it was complete */
struct session_line { int author; struct pl_str content; bool whole; };
struct session_history { const struct session_line *rows; int count; };
typedef void (repo_session_history_fn)(void *arg, const struct session_history *history, const struct pl_err *err);
/*
 * The newest `limit` messages up to `seq` with the answers to those before it, each after its question. Longer texts
 * are reduced to the last `most` characters.
 */
void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit, int most,
    repo_session_history_fn *done, void *arg);

enum session_outcome { SESSION_DONE, SESSION_FAILED, SESSION_CANCELLED, SESSION_INTERRUPTED };
extern const char *const session_outcome_words[];	/* ends with NULL */

/* A message in the form for clients. reply_to 0: none. */
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
 * after >= 0: with a greater seq; else before > 0: with a smaller one; else the newest. Ends before the message whose
 * text would exceed `bytes`, but has at least one message. No access check.
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
	struct pl_str reasoning;		/* reasoning of the model; absent: none */
	struct pl_str upstream;			/* absent: none was asked */
	int64_t cost_micros;			/* as reported by the upstream; -1: not reported */
};
/* session: absent if there is nothing left to answer. cost_micros: as reported, or by the prices; -1: unknown. */
struct session_answered { struct pl_str session; int64_t cost_micros; };
typedef void (repo_session_answered_fn)(void *arg, const struct session_answered *answered, const struct pl_err *err);
/* Stores it, once. PL_E_NOT_FOUND. */
void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in,
    repo_session_answered_fn *done, void *arg);
/* Called by the clerk: these slots of this daemon are alive. *result: the number of messages that they answer. */
void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg);
/* Marks at most `limit` messages as interrupted whose worker no clerk has seen for 5 s. */
void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Sessions: chats, guided forms and imported usage (tables sessions, session_messages, session_slots).
 *
 * A caller is a user (user_id > 0) or a guest (0); `guests` says whether guests' sessions open for whoever has their UUID.
 */
#ifndef DB_REPO_SESSION_H
#define DB_REPO_SESSION_H

#include "db/db.h"

enum session_kind { SESSION_CHAT, SESSION_GUIDED, SESSION_USAGE };
enum session_state { SESSION_OPEN, SESSION_ENDED, SESSION_EXPIRED };
enum session_author { SESSION_USER, SESSION_ASSISTANT };

/* What a form has collected: value "" for sealed ones. */
struct session_slot { struct pl_str name, value; int tries; bool collected; };

struct session {
	struct pl_str id;			/* UUID */
	int kind, state;
	int64_t user_id;			/* 0: none */
	bool guest, is_complete;
	struct pl_str external_id, developer, form, requested, model;	/* absent when none */
	int64_t total_tokens, cost_micros, last_seq;
	int accepted;				/* -1: nobody said */
	int64_t started_us, last_us, ended_us, expires_us;
	struct session_slot *slots;
	int slots_count;
	int64_t form_seq;			/* which message changed the form last; for session_said.form_seq */
	struct pl_str form_over;		/* cancelled, handed_over; absent: it goes on, or is complete */
	struct pl_str answer;			/* pending, or how the newest answer ended; absent: nothing was said */
	struct pl_str lead_mail;		/* off, queued, sent, failed; absent: no lead, or not known any more */
};
typedef void (repo_session_fn)(void *arg, const struct session *session, const struct pl_err *err);

struct session_caller { int64_t user_id; bool guests; };

struct session_new {
	struct pl_str id, address;		/* address: what guests are counted by */
	int64_t user_id;			/* 0: a guest */
	enum session_kind kind;
	struct pl_str form, requested;		/* absent: none */
	int64_t max_open, life_ms;
};
/* PL_E_SESSION_LIMIT with retry_after_s. */
void repo_session_create(struct db *db, struct pl_task *task, const struct session_new *in, repo_session_fn *done, void *arg);
/* By UUID or external id; analysts find imported ones. PL_E_NOT_FOUND: absent, or not the caller's. */
void repo_session_get(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    repo_session_fn *done, void *arg);

/* Does the id name a session that belongs to a user (not to a guest)? Also false when it is no UUID. */
void repo_session_owned(struct db *db, struct pl_task *task, struct pl_str key, db_done_fn *done, void *arg);

struct session_filter {
	int64_t user_id;
	bool everybody;				/* usage sessions of everybody besides the user's own */
	struct pl_str developer, model, sort;	/* absent: any, any, by time; sort: timestamp, cost, tokens */
	int64_t start_us, end_us;		/* [start, end); 0: open */
	bool descending;
	int64_t offset;
	int limit;
};
struct session_list { const struct session *rows; int count; bool more; int64_t total; };
typedef void (repo_session_list_fn)(void *arg, const struct session_list *list, const struct pl_err *err);
void repo_session_list(struct db *db, struct pl_task *task, const struct session_filter *filter, repo_session_list_fn *done,
    void *arg);

struct session_message {
	struct pl_str id, token, content;	/* token: a UUID; the same one is stored once */
	int64_t life_ms;
	int64_t form_seq;			/* of the session as it was read */
	struct pl_str form, mails;		/* JSON, see session_learn(); absent: no form, mail is off */
};
/* ahead: so many earlier messages wait for their answer. stale: the form has changed since, nothing was stored. */
struct session_said { int64_t seq, ahead; bool stale; };
typedef void (repo_session_said_fn)(void *arg, const struct session_said *said, const struct pl_err *err);
/* Stores a person's message, and what it did to the form. PL_E_NOT_FOUND, PL_E_CONFLICT (the session is over). */
void repo_session_say(struct db *db, struct pl_task *task, const struct session_message *in, repo_session_said_fn *done,
    void *arg);
/* How many messages before this one still wait for their answer. */
void repo_session_ahead(struct db *db, struct pl_task *task, struct pl_str id, int64_t question, db_count_fn *done, void *arg);

struct session_line { int author; struct pl_str content; };
struct session_history { const struct session_line *rows; int count; };
typedef void (repo_session_history_fn)(void *arg, const struct session_history *history, const struct pl_err *err);
/* The newest `limit` messages up to `seq` with the answers to those before it, each behind its question. */
void repo_session_history(struct db *db, struct pl_task *task, struct pl_str id, int64_t seq, int limit,
    repo_session_history_fn *done, void *arg);

/* A message as clients see it. reply_to 0: none. */
struct session_entry {
	int64_t seq, reply_to, created_us;
	int author, state;
	struct pl_str content, model, citations;	/* absent: none */
};
struct session_page { const struct session_entry *rows; int count; bool more; };	/* ascending; more: in that direction */
typedef void (repo_session_page_fn)(void *arg, const struct session_page *page, const struct pl_err *err);
/* after >= 0: with a greater seq; else before > 0: with a smaller one; else the newest. No access check. */
void repo_session_messages(struct db *db, struct pl_task *task, struct pl_str id, int64_t after, int64_t before, int limit,
    repo_session_page_fn *done, void *arg);

enum session_outcome { SESSION_DONE, SESSION_FAILED, SESSION_CANCELLED, SESSION_INTERRUPTED };
struct session_answer {
	struct pl_str id;
	int64_t question;			/* seq of the message that it answers; 0: id is the message's token */
	struct pl_str content, model;		/* model absent: no model wrote it */
	enum session_outcome state;
	int64_t prompt_tokens, completion_tokens;	/* -1: unknown */
	struct pl_str citations;		/* JSON list; absent: none */
};
/* Stores it, once. PL_E_NOT_FOUND. */
void repo_session_answer(struct db *db, struct pl_task *task, const struct session_answer *in, db_done_fn *done, void *arg);
/* The clerk: these slots of this daemon live. *result: how many messages they answer. */
void repo_session_seen(struct db *db, struct pl_task *task, const int64_t *slots, const int64_t *generations, int count,
    db_count_fn *done, void *arg);
/* Marks at most `limit` messages interrupted whose worker no clerk has seen for 5 s. */
void repo_session_interrupt(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);
/* PL_E_NOT_FOUND; ending one that is over is fine. */
void repo_session_end(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who, db_done_fn *done,
    void *arg);
/* Throws it away if nothing was said in it. */
void repo_session_discard(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg);
/* Marks at most `limit` whose life is over. */
void repo_sessions_expire(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

#endif

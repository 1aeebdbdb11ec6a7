/* SPDX-License-Identifier: ISC */
/*
 * Sessions: chats, guided forms and imported usage (tables sessions, session_slots). Messages: repo_session_talk.h.
 *
 * A caller is a user (user_id > 0) or a guest (0); `guests`: whether the UUID of a session of a guest is sufficient to
 * open it.
 */
#ifndef DB_REPO_SESSION_H
#define DB_REPO_SESSION_H

#include "db/repo/repo_usage.h"

enum session_kind { SESSION_CHAT, SESSION_GUIDED, SESSION_USAGE };
enum session_state { SESSION_OPEN, SESSION_ENDED, SESSION_EXPIRED };
extern const char *const session_kind_words[], *const session_state_words[];	/* end with NULL */

/* Values that a form has collected: value is "" for encrypted ones; sealed has hex digits, "" for others. */
struct session_slot { struct pl_str name, value, sealed; int tries; bool collected; };

struct session {
	struct pl_str id;			/* UUID */
	enum session_kind kind;
	enum session_state state;
	int64_t user_id;			/* 0: none */
	bool guest, is_complete;
	struct pl_str external_id, developer, form, requested, model;	/* absent when none */
	int64_t total_tokens, prompt_tokens, completion_tokens, cost_micros, last_seq;
	int accepted;				/* -1: unknown */
	struct usage_extra extra;
	int64_t started_us, last_us, ended_us, expires_us;
	struct session_slot *slots;
	int slots_count;
	int64_t form_seq;			/* the message that changed the form last; for session_said.form_seq */
	struct pl_str form_over;		/* cancelled, handed_over; absent: it continues, or is complete */
	struct pl_str answer;			/* pending, or the outcome of the newest answer; absent: no messages */
	struct pl_str form_pending;		/* JSON: the value that was proposed; absent: none */
	struct pl_str lead_mail;		/* off, queued, sent, failed; absent: no lead, or no longer known */
};
typedef void (repo_session_fn)(void *arg, const struct session *session, const struct pl_err *err);

struct session_caller {
	int64_t user_id;
	bool guests;
	bool open;				/* imported ones can be seen as analysts see them */
};

struct session_new {
	struct pl_str id, address;		/* address: the one that counts the sessions of guests */
	int64_t user_id;			/* 0: a guest */
	enum session_kind kind;
	struct pl_str form, requested;		/* absent: none */
	int64_t max_open, life_ms;
};
/* PL_E_SESSION_LIMIT with retry_after_s. */
void repo_session_create(struct db *db, struct pl_task *task, const struct session_new *in, repo_session_fn *done,
    void *arg);
/* By UUID or external id; analysts find imported ones. PL_E_NOT_FOUND: absent, or not the caller's. */
void repo_session_get(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    repo_session_fn *done, void *arg);

/* *result: whether the session belongs to a user (not to a guest); false if the id is not a UUID. */
void repo_session_owned(struct db *db, struct pl_task *task, struct pl_str key, db_done_fn *done, void *arg);

/* Those of the user; also imported ones; those of all users. */
enum session_scope { SESSIONS_OWN, SESSIONS_IMPORTED, SESSIONS_ALL };
struct session_filter {
	int64_t user_id;
	enum session_scope scope;
	struct pl_str developer, model, sort;	/* absent: any, any, by time; sort: timestamp, cost, tokens */
	int64_t start_us, end_us;		/* [start, end); 0: open */
	bool descending;
	int64_t offset;
	int limit;
};
struct session_list { const struct session *rows; int count; bool more; int64_t total; };
typedef void (repo_session_list_fn)(void *arg, const struct session_list *list, const struct pl_err *err);
void repo_session_list(struct db *db, struct pl_task *task, const struct session_filter *filter,
    repo_session_list_fn *done, void *arg);

/* PL_E_NOT_FOUND; it is not an error if the session has already ended. */
void repo_session_end(struct db *db, struct pl_task *task, struct pl_str key, struct session_caller who,
    db_done_fn *done, void *arg);
/* A socket (identified by a UUID) opens the session. PL_E_NOT_FOUND: it has ended. */
void repo_session_enter(struct db *db, struct pl_task *task, struct pl_str id, struct pl_str socket, db_done_fn *done,
    void *arg);
/* The socket has closed. made: deletes the session if no other socket opened it and it has no messages. */
void repo_session_leave(struct db *db, struct pl_task *task, struct pl_str id, struct pl_str socket, bool made,
    db_done_fn *done, void *arg);
/* Marks at most `limit` expired sessions. */
void repo_sessions_expire(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

#endif

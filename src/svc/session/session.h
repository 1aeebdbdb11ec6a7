/* SPDX-License-Identifier: ISC */
/*
 * Sessions: conversations with the chatbot, free or while a form is filled in.
 *
 * A message: the form takes its values -> stored -> the model answers the question -> the next request of the form ->
 * stored with tokens and slots -> the asker gets the answer. The answer continues without its asker; if its worker
 * dies, another one stores its text, marked as interrupted.
 */
#ifndef SVC_SESSION_H
#define SVC_SESSION_H

#include "db/repo/repo_session.h"
#include "svc/svc.h"

struct sessions;
struct sessions *sessions_new(struct svc *svc);
void sessions_free(struct sessions **sessions);
/* Handles an answer whose worker died: its text so far becomes a message (see answers_on_orphan()). */
void session_adopt(struct svc *svc, const struct shm_gen_info *info, struct pl_str text);

struct session_want {
	bool any;			/* by the settings: the default form, or a free conversation */
	enum session_kind kind;
	struct pl_str form;		/* guided: an absent name means the default form */
};
/*
 * Creates a session of the caller of the task (a guest if there is no user). With an unknown form, it is a free
 * conversation. PL_E_SESSION_LIMIT.
 */
void session_make(struct svc *svc, const struct config *config, struct pl_task *task, const struct session_want *want,
    repo_session_fn *done, void *arg);

/* A socket of the session has closed (repo_session_leave()); its watchers are notified. */
void session_leave(struct svc *svc, struct pl_task *task, struct pl_str id, struct pl_str socket, bool made,
    db_done_fn *done, void *arg);
/* Stops the running answers of a session, on any worker; their text so far is stored. */
void session_stop(struct svc *svc, struct pl_str id);
/* Ends a session that the caller may use, stops its answers, and notifies its watchers. Errors: repo_session_end(). */
void session_end(struct svc *svc, struct pl_task *task, struct pl_str key, struct session_caller who,
    db_done_fn *done, void *arg);

/* The greeting; with a session, also its pending request. */
struct pl_str session_greeting(const struct config *config, struct pl_pool *pool, const struct session *session);
/* {"slot": bool, ...} in the order of the form; {} without a form. */
struct pl_str session_collected(struct pl_pool *pool, const struct session *session);
/* {"slot": text or null, ...}; a sensitive value is only "[label]". */
struct pl_str session_data(struct pl_pool *pool, const struct session *session);

/*
 * citations: knowledge_cite(); knowledge: knowledge_lack(); model, usage (answer_usage()): absent if no model wrote;
 * reasoning: the model's before the answer
 */
struct session_reply {
	struct pl_str session_id, text, collected, citations, knowledge, model, usage, reasoning;
	bool is_complete, stopped;	/* stopped by session_stop() or the end of the session */
	bool mailed;			/* the form ended with this message, and a mail about it was queued */
};
typedef void (session_delta_fn)(void *arg, struct pl_str text);
typedef void (session_reply_fn)(void *arg, const struct session_reply *reply, const struct pl_err *err);
/*
 * Adds one message to a session that the caller may use (repo_session_get()); the caller has taken the limits. `delta`
 * (may be NULL) gets "" when the message was accepted, then the answer in pieces; `done` is called when the answer is
 * stored, or with an error. `task` is held until then; cancelling it does not stop the answer. PL_E_CONFLICT: the
 * session has ended; PL_E_BUSY; errors of llm_ask().
 */
void session_talk(struct svc *svc, const struct config *config, struct pl_task *task, const struct session *session,
    struct pl_str message, session_delta_fn *delta, session_reply_fn *done, void *arg);

#endif

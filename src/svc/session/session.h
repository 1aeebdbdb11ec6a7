/* SPDX-License-Identifier: ISC */
/*
 * Sessions: talking with the chatbot, freely or while a form is filled in.
 *
 * A message: what the form takes out of it -> stored -> the model answers what is asked -> the form's next request ->
 * stored with tokens and slots -> the asker gets it. The answer outlives its asker; text of a worker that dies is
 * stored by another one and marked interrupted.
 */
#ifndef SVC_SESSION_H
#define SVC_SESSION_H

#include "db/repo/repo_session.h"
#include "svc/svc.h"

struct sessions;
struct sessions *sessions_new(struct svc *svc);
void sessions_free(struct sessions **sessions);
/* An answer whose worker died: its text so far becomes a message (see answers_on_orphan()). */
void session_adopt(struct svc *svc, const struct shm_gen_info *info, struct pl_str text);

struct session_want {
	bool any;			/* as the settings say: the default form, or a free chat */
	enum session_kind kind;
	struct pl_str form;		/* guided: absent is the default form */
};
/* A new session of the task's caller (a guest when there is no user); a form that is not there makes it a free chat.
 * PL_E_SESSION_LIMIT. */
void session_make(struct svc *svc, const struct config *config, struct pl_task *task, const struct session_want *want,
    repo_session_fn *done, void *arg);

/* A socket of it is gone (repo_session_leave()); those who watch it are told. */
void session_leave(struct svc *svc, struct pl_task *task, struct pl_str id, struct pl_str socket, bool made,
    db_done_fn *done, void *arg);
/* Stops the answers that are under way in a session, on whatever worker; what they have said is stored. */
void session_stop(struct svc *svc, struct pl_str id);
/* Ends one that the caller may use, stops its answers, and tells those who watch it. Errors: repo_session_end(). */
void session_end(struct svc *svc, struct pl_task *task, struct pl_str key, struct session_caller who,
    db_done_fn *done, void *arg);

/* First words; with a session also its open request. */
struct pl_str session_greeting(const struct config *config, struct pl_pool *pool, const struct session *session);
/* {"slot": bool, ...} in the form's order; {} without a form. */
struct pl_str session_collected(struct pl_pool *pool, const struct session *session);
/* {"slot": text or null, ...}; of a sensitive value only "[label]". */
struct pl_str session_data(struct pl_pool *pool, const struct session *session);

/*
 * citations: knowledge_cite(); knowledge: knowledge_lack(); model, usage (answer_usage()): absent where none wrote;
 * reasoning: what it thought
 */
struct session_reply {
	struct pl_str session_id, text, collected, citations, knowledge, model, usage, reasoning;
	bool is_complete, stopped;	/* stopped: by session_stop() or the session's end */
	bool mailed;			/* the form ended with the message, and a mail about it was queued */
};
typedef void (session_delta_fn)(void *arg, struct pl_str text);
typedef void (session_reply_fn)(void *arg, const struct session_reply *reply, const struct pl_err *err);
/*
 * One message into a session that the caller may use (repo_session_get()); limits were taken by the caller. `delta`
 * (may be NULL) gets "" when the message was accepted, then the answer piece by piece; `done` runs when it is stored,
 * or with what went wrong. `task` is held until then; that it is cancelled does not stop the answer. PL_E_CONFLICT: the
 * session is over; PL_E_BUSY; llm_ask()'s errors.
 */
void session_talk(struct svc *svc, const struct config *config, struct pl_task *task, const struct session *session,
    struct pl_str message, session_delta_fn *delta, session_reply_fn *done, void *arg);

#endif

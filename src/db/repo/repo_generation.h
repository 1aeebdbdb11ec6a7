/* SPDX-License-Identifier: ISC */
/*
 * Answers of models as jobs (table generations). At most one per (room, role) is queued or running, over all workers.
 */
#ifndef DB_REPO_GENERATION_H
#define DB_REPO_GENERATION_H

#include "db/db.h"

enum gen_state { GEN_QUEUED, GEN_RUNNING, GEN_DONE, GEN_FAILED, GEN_CANCELLED, GEN_INTERRUPTED };
extern const char *const gen_state_words[];	/* ends with NULL */

struct generation {
	struct pl_str id;			/* UUID */
	int64_t room_id, role_id, asker_id, reply_to;
	enum gen_state state;
	struct pl_str upstream, model, error_code, error_detail, partial;	/* absent when none */
	bool estimated;				/* the tokens are */
	/* copied from its message; repo_generation_get() only */
	struct pl_str citations, knowledge;
	int64_t prompt_tokens, completion_tokens;		/* -1: unknown */
	int64_t cost_micros;			/* of a US dollar; -1: unknown, or still running */
	int64_t answer_seq;			/* 0: none */
	int64_t follow_up_seq, follow_up_asker;	/* the message that waits for its end; 0: none */
	int64_t created_us, started_us, first_text_us, ended_us;
};
struct generation_list { const struct generation *rows; int count; };
typedef void (repo_generation_fn)(void *arg, const struct generation *generation, const struct pl_err *err);
typedef void (repo_generation_list_fn)(void *arg, const struct generation_list *list, const struct pl_err *err);

struct generation_new {
	struct pl_str id;
	int64_t room_id, role_id, asker_id, reply_to;
	struct pl_str upstream, model;
	bool again;			/* the message is not new: do nothing if the role was asked since then */
};
/* busy: one is running, and this one was recorded as its follow-up; or the role was asked about this message before */
struct generation_begun { bool busy; };
typedef void (repo_generation_begin_fn)(void *arg, const struct generation_begun *begun, const struct pl_err *err);
/*
 * Takes the place of (room, role) as `running` for the slot and generation of this process. busy: no row was created;
 * repo_generation_end() of the running one returns the newest recorded follow-up. PL_E_NOT_FOUND: the role is not
 * attached.
 */
void repo_generation_begin(struct db *db, struct pl_task *task, const struct generation_new *in,
    repo_generation_begin_fn *done, void *arg);

struct generation_end {
	struct pl_str id;
	int64_t room_id, role_id;
	enum gen_state state;			/* GEN_DONE and beyond */
	struct pl_str error_code, error_detail;	/* absent unless failed */
	struct pl_str partial;			/* text so far, if there is no answer message; absent: none */
	struct pl_str upstream, model;		/* upstream and model that answered; absent: unchanged */
	int64_t prompt_tokens, completion_tokens, answer_seq, first_text_us;	/* -1, -1, 0, 0 when unknown */
	int64_t cost_micros;			/* as reported by the upstream; -1: not reported */
	bool estimated;				/* the tokens are */
};
/*
 * follow_up_seq > 0: answer that message next (asked by follow_up_asker). ended false: it had already ended. state,
 * answer_seq: the current values of the row; if the answer is in the log, that message decides.
 */
struct generation_ended {
	bool ended;
	int64_t room_id, role_id, follow_up_seq, follow_up_asker, answer_seq;
	int64_t cost_micros;		/* as reported, or by the prices; -1: unknown, or no upstream was given */
	enum gen_state state;
};
typedef void (repo_generation_end_fn)(void *arg, const struct generation_ended *ended, const struct pl_err *err);
/* Repeatable. PL_E_NOT_FOUND. */
void repo_generation_end(struct db *db, struct pl_task *task, const struct generation_end *in,
    repo_generation_end_fn *done, void *arg);

/* PL_E_NOT_FOUND: absent, or in a room that user_id (0 = no check) may not read. */
void repo_generation_get(
    struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, repo_generation_fn *done, void *arg);
/*
 * Checks whether user_id may stop it (asker, moderator, or owner of the room). Returns the row, or PL_E_NOT_FOUND,
 * PL_E_FORBIDDEN. It changes nothing: the stop itself is sent through shared memory.
 */
void repo_generation_stoppable(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, bool admin,
    repo_generation_fn *done, void *arg);
/*
 * At the start of a slot: marks running rows of its predecessors as interrupted (or done, if the answer is in the log),
 * and returns these rows.
 */
void repo_generation_interrupt(struct db *db, struct pl_task *task, repo_generation_list_fn *done, void *arg);
/* *result: whether the role was asked about this message or a later one of the room. */
void repo_generation_asked(
    struct db *db, struct pl_task *task, int64_t room_id, int64_t role_id, int64_t seq, db_done_fn *done, void *arg);
/*
 * The clerk records which answers run in this daemon, then ends those that no clerk has recorded for a while: answers
 * of daemons that have ended, and rows that were committed after their worker had given up. Both return a number of
 * rows. well_us: how long this clerk has recorded them without a gap.
 */
void repo_generation_seen(
    struct db *db, struct pl_task *task, const struct pl_str *ids, int count, db_count_fn *done, void *arg);
void repo_generation_abandoned(struct db *db, struct pl_task *task, int64_t well_us, int limit, db_count_fn *done,
    void *arg);

#endif

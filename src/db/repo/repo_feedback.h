/* SPDX-License-Identifier: ISC */
/*
 * Votes (table feedback) and feedback requests (table feedback_requests).
 */
#ifndef DB_REPO_FEEDBACK_H
#define DB_REPO_FEEDBACK_H

#include "db/db.h"

struct feedback {
	int64_t id, created_us, updated_us;
	bool fresh;				/* the first vote of this user on this target */
	struct pl_str target_kind, target_id, comment;
	double score;
};
struct feedback_list { const struct feedback *rows; int count; bool more; };
typedef void (repo_feedback_fn)(void *arg, const struct feedback *feedback, const struct pl_err *err);
typedef void (repo_feedback_list_fn)(void *arg, const struct feedback_list *list, const struct pl_err *err);

/*
 * access: the caller's permission (enum access). PL_E_NOT_FOUND: the target does not exist, or this user cannot see it.
 */
void repo_feedback_give(struct db *db, struct pl_task *task, int64_t user_id, int access, const struct feedback *in,
    repo_feedback_fn *done, void *arg);
/* The user's own, ascending, ids > after. limit 1..200. */
void repo_feedback_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t after, int limit,
    repo_feedback_list_fn *done, void *arg);

/* One of the user's own. PL_E_NOT_FOUND. */
void repo_feedback_withdraw(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, db_done_fn *done,
    void *arg);

/* Texts are absent where the column is NULL; context, options and state are JSON texts. */
struct feedback_request {
	int64_t number;
	struct pl_str id, asker, channel, destination, question, context, options, run_id, state, on_timeout, status,
		outcome, answer, comment, answered_by, answered_via, delivery_error;
	int64_t created_us, due_us, sent_us, timed_out_us, ended_us;
	int64_t asker_id, asked_id;	/* 0 in lists; asked_id 0: the request is not to a user of this server */
};
struct feedback_request_list { const struct feedback_request *rows; int count; bool more; };
typedef void (repo_feedback_request_fn)(void *arg, const struct feedback_request *request, const struct pl_err *err);
typedef void (repo_feedback_request_list_fn)(void *arg, const struct feedback_request_list *list,
    const struct pl_err *err);

/*
 * Asks: id, channel, destination, question, context, options, run_id, state and on_timeout of `in`. PL_E_NOT_FOUND: the
 * destination of channel web is not a user.
 */
void repo_feedback_request_create(struct db *db, struct pl_task *task, int64_t user_id,
    const struct feedback_request *in, int64_t timeout_us, db_done_fn *done, void *arg);
/* For its asker and the user it asks; user_id 0: a holder of the link. PL_E_NOT_FOUND. */
void repo_feedback_request_get(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    repo_feedback_request_fn *done, void *arg);
/*
 * Newest first, numbers < before (0: from the end). asked: requests to this user; otherwise, requests of this user.
 * status absent: any.
 */
void repo_feedback_request_list(struct db *db, struct pl_task *task, int64_t user_id, bool asked, struct pl_str status,
    int64_t before, int limit, repo_feedback_request_list_fn *done, void *arg);
/* Requests with this run_id that user_id sent or received (0: all), newest first. */
void repo_feedback_request_of_run(struct db *db, struct pl_task *task, struct pl_str run_id, int64_t user_id, int limit,
    repo_feedback_request_list_fn *done, void *arg);
/*
 * The first valid answer wins. PL_E_NOT_FOUND, PL_E_FORBIDDEN (the asker cannot answer, unless it is also the
 * receiver), PL_E_CONFLICT (already ended), PL_E_INVALID (not one of the options). user_id 0: a holder of the link.
 */
void repo_feedback_request_answer(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id, bool decline,
    struct pl_str answer, struct pl_str comment, db_done_fn *done, void *arg);
/* Its asker only. PL_E_NOT_FOUND, PL_E_FORBIDDEN, PL_E_CONFLICT (already ended). */
void repo_feedback_request_cancel(struct db *db, struct pl_task *task, struct pl_str id, int64_t user_id,
    db_done_fn *done, void *arg);
/*
 * Handles at most `limit` requests that have timed out; returns their id, question, asker, status, outcome, due_us and
 * both ids.
 */
void repo_feedback_requests_due(struct db *db, struct pl_task *task, int limit, repo_feedback_request_list_fn *done,
    void *arg);

#endif

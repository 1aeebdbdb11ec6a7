/* SPDX-License-Identifier: ISC */
/*
 * Feedback requests. Each function that changes a request commits, notifies the sockets of its asker and receiver, and
 * completes with the new state of the request.
 *
 * The caller of the task is the acting user; user 0 is the holder of the link of one request.
 */
#ifndef SVC_REQUEST_H
#define SVC_REQUEST_H

#include "db/repo/repo_feedback.h"
#include "svc/svc.h"

/*
 * err NULL: the request. Otherwise, changed false: nothing was changed; true: the request was changed, but could not be
 * read afterwards, so that nobody was notified.
 */
typedef void(feedback_request_fn)(
    void *arg, bool changed, const struct feedback_request *request, const struct pl_err *err);

/*
 * Checks a request: lengths, options, and whether the channel is configured and allows the destination. Fills in a
 * missing destination. false: err is PL_E_INVALID with its field under "body".
 */
bool feedback_request_check(const struct config *config, struct pl_task *task, struct feedback_request *request,
    struct pl_err *err) PL_MUSTCHECK;
/* The key of rate class channel: the destination, without regard to case. */
struct pl_str feedback_request_limit_key(struct pl_pool *pool, const struct feedback_request *request);
/* Creates a checked request; its id is made here. PL_E_NOT_FOUND: the destination of channel web is not a user. */
void feedback_request_create(struct svc *svc, struct pl_task *task, struct feedback_request *request,
    int64_t timeout_us, feedback_request_fn *done, void *arg);
/*
 * The feedback request was created by an HTTP request that ended before its reply, and perhaps before the notification.
 */
void feedback_request_created(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg);
/* Errors: repo_feedback_request_answer(), repo_feedback_request_cancel(). */
void feedback_request_answer(struct svc *svc, struct pl_task *task, struct pl_str id, bool decline,
    struct pl_str answer, struct pl_str comment, feedback_request_fn *done, void *arg);
void feedback_request_cancel(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg);
/* Handles at most `limit` requests that have timed out (for the clerk). */
void feedback_request_time_out(
    struct svc *svc, struct pl_task *task, int limit, repo_feedback_request_list_fn *done, void *arg);

/* At start: passes notifications of other processes to the sockets of this one (svc->on_user). */
void feedback_request_listen(struct svc *svc);

#endif

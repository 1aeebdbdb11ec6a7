/* SPDX-License-Identifier: ISC */
/*
 * Feedback requests: questions to people. Each function that changes one commits, sends the news to the sockets of
 * its asker and of the user asked, and completes with the request as it is then.
 *
 * The task's caller asks; user 0 is the holder of the link of one request.
 */
#ifndef SVC_REQUEST_H
#define SVC_REQUEST_H

#include "db/repo/repo_feedback.h"
#include "svc/svc.h"

/*
 * err NULL: the request. Else changed tells what the error is about: false: nothing was changed; true: it was, and only
 * reading it back failed, so that nobody got the news.
 */
typedef void(feedback_request_fn)(
    void *arg, bool changed, const struct feedback_request *request, const struct pl_err *err);

/*
 * What the caller may ask over which channel: lengths, options, whether the channel is on here and may reach the
 * destination. Fills in a missing destination. false: err is PL_E_INVALID with its field under "body".
 */
bool feedback_request_check(const struct config *config, struct pl_task *task, struct feedback_request *request,
    struct pl_err *err) PL_MUSTCHECK;
/* What rate class channel counts by: the destination, in any case of its letters. */
struct pl_str feedback_request_limit_key(struct pl_pool *pool, const struct feedback_request *request);
/* A checked one; its id is made here. PL_E_NOT_FOUND: the destination of channel web is nobody. */
void feedback_request_create(struct svc *svc, struct pl_task *task, struct feedback_request *request,
    int64_t timeout_us, feedback_request_fn *done, void *arg);
/* It was created by a request that ended before its reply, and perhaps before the news. */
void feedback_request_created(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg);
/* Errors: repo_feedback_request_answer(), repo_feedback_request_cancel(). */
void feedback_request_answer(struct svc *svc, struct pl_task *task, struct pl_str id, bool decline,
    struct pl_str answer, struct pl_str comment, feedback_request_fn *done, void *arg);
void feedback_request_cancel(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg);
/* Time-outs that have come, at most `limit` (the clerk). */
void feedback_request_time_out(
    struct svc *svc, struct pl_task *task, int limit, repo_feedback_request_list_fn *done, void *arg);

/* At start: news from other processes go to this one's sockets (svc->on_user). */
void feedback_request_listen(struct svc *svc);

#endif

/* SPDX-License-Identifier: ISC */
/* Routes of feedback requests: create, list, show, answer, and cancel. */
#include "api/http/request.h"
#include "svc/feedback/feedback_request.h"

static void request_shape(
    struct feedback_request_out *out, const struct feedback_request *r, const struct request *request)
{
	struct channel *channel = pl_alloc(request->req->task->pool, sizeof(*channel));
	bool own = pl_str_is(r->asker, request->req->task->who.name);

	*channel = (struct channel){ .kind = r->channel, .destination = r->destination };
	*out = (struct feedback_request_out){ .id = r->id, .status = r->status, .outcome = r->outcome,
		.answer = r->answer, .comment = r->comment, .answered_by = r->answered_by,
		.answered_via = r->answered_via, .question = r->question, .context = r->context, .channel = channel,
		.options = r->options, .on_timeout = r->on_timeout, .asker = r->asker,
		.run_id = own ? r->run_id : PL_STR_NONE, .state = own ? r->state : PL_STR_NONE,
		.delivery_error = r->delivery_error, .created_at = r->created_us, .due_at = r->due_us,
		.sent_at = r->sent_us > 0 ? r->sent_us : SHAPE_NONE,
		.timed_out_at = r->timed_out_us > 0 ? r->timed_out_us : SHAPE_NONE,
		.ended_at = r->ended_us > 0 ? r->ended_us : SHAPE_NONE };
}

static void on_request(void *arg, const struct feedback_request *request, const struct pl_err *err)
{
	struct request *rq = arg;
	struct feedback_request_out out;

	if (err != NULL) {
		request_fail(rq, err);
		return;
	}
	request_shape(&out, request, rq);
	if (rq->route->status == 201)
		request_location(rq, "/api/feedback-requests/%.*s", PL_FMT(request->id));
	request_reply(rq, &shape_feedback_request_out, &out);
}

/* ---- creating ---- */

static void fail_field(struct request *request, const char *loc, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, request->req->task->pool, loc, "value_error", "%s", msg);
	request_fail(request, &err);
}

static void on_created(void *arg, bool created, const struct feedback_request *request, const struct pl_err *err)
{
	if (err != NULL && !created && err->code == PL_E_NOT_FOUND)
		fail_field(arg, "body.channel.destination", "no user has this name");
	else
		on_request(arg, request, err);
}

void api_request_create(struct request *request)
{
	const struct feedback_request_in *in = request->in;
	struct pl_task *task = request->req->task;
	struct feedback_request r = { .question = in->question, .context = in->context, .channel = in->channel->kind,
		.destination = in->channel->destination, .options = in->options, .run_id = in->run_id,
		.state = in->state, .on_timeout = in->on_timeout.ptr != NULL ? in->on_timeout : PL_STR("deny") };
	int64_t timeout_us = in->timeout_s == SHAPE_NONE ? request->req->config->s.feedback_timeout * 1000 :
	    in->timeout_s * 1000000;
	struct pl_err err = { 0 };

	if (request->made.ptr != NULL)
		feedback_request_created(request->svc, task, request->made, on_created, request);
	else if (!feedback_request_check(request->req->config, task, &r, &err))
		request_fail(request, &err);
	else if (request_limits_more(request, LIMIT_CHANNEL, feedback_request_limit_key(task->pool, &r)))
		feedback_request_create(request->svc, task, &r, timeout_us, on_created, request);
}

/* ---- reading ---- */

static void on_list(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	const struct feedback_requests_query *q = request->query;
	struct feedback_request_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		request_shape(&items[i], &list->rows[i], request);
	if (list->more)
		request_link_next(request, "role=%s%s%.*s&before=%lld&limit=%d",
		    pl_str_is(q->role, "asked") ? "asked" : "asker", q->status.ptr != NULL ? "&status=" : "",
		    PL_FMT(q->status), (long long)list->rows[list->count - 1].number, list->count);
	request_reply_list(request, &shape_feedback_request_out, items, list->count);
}

void api_request_list(struct request *request)
{
	const struct feedback_requests_query *q = request->query;

	repo_feedback_request_list(request->svc->db, request->req->task, request->req->task->who.user_id,
	    pl_str_is(q->role, "asked"), q->status, q->before == SHAPE_NONE ? 0 : q->before,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_list, request);
}

void api_request_get(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		repo_feedback_request_get(
		    request->svc->db, request->req->task, id, request->req->task->who.user_id, on_request, request);
}

/* ---- ending ---- */

static void on_ended(void *arg, bool ended, const struct feedback_request *request, const struct pl_err *err)
{
	if (err != NULL && !ended && err->code == PL_E_INVALID)
		fail_field(arg, "body.answer", "must be one of the options");
	else
		on_request(arg, request, err);
}

void api_request_respond(struct request *request)
{
	const struct answer_in *in = request->in;
	bool decline = in->decline == 1;
	struct pl_str id;

	if (!request_uuid(request, 0, &id))
		return;
	if (decline && in->answer.ptr != NULL)
		fail_field(request, "body.answer", "must not be given together with decline");
	else if (decline && in->comment.len == 0)
		fail_field(request, "body.comment", "must give the reason when declining");
	else if (!decline && in->answer.ptr == NULL)
		fail_field(request, "body.answer", "is required unless decline is true");
	else
		feedback_request_answer(
		    request->svc, request->req->task, id, decline, in->answer, in->comment, on_ended, request);
}

void api_request_cancel(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		feedback_request_cancel(request->svc, request->req->task, id, on_ended, request);
}

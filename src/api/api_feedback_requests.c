/* SPDX-License-Identifier: ISC */
/*
 * Routes of questions put to humans: ask, list, look, respond, cancel.
 */
#include "api/http/call.h"
#include "svc/feedback/request.h"

static void request_shape(struct feedback_request_out *out, const struct feedback_request *r, const struct call *call)
{
	struct channel *channel = pl_alloc(call->req->task->pool, sizeof(*channel));
	bool own = pl_str_is(r->asker, call->req->task->who.name);

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
	struct call *call = arg;
	struct feedback_request_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	request_shape(&out, request, call);
	if (call->route->status == 201)
		call_location(call, "/api/feedback-requests/%.*s", PL_FMT(request->id));
	call_reply(call, &shape_feedback_request_out, &out);
}

/* ---- asking ---- */

static void fail_field(struct call *call, const char *loc, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, call->req->task->pool, loc, "value_error", "%s", msg);
	call_fail(call, &err);
}

static void on_created(void *arg, bool created, const struct feedback_request *request, const struct pl_err *err)
{
	if (err != NULL && !created && err->code == PL_E_NOT_FOUND)
		fail_field(arg, "body.channel.destination", "there is no user of that name");
	else
		on_request(arg, request, err);
}

void api_request_create(struct call *call)
{
	const struct feedback_request_in *in = call->in;
	struct pl_task *task = call->req->task;
	struct feedback_request r = { .question = in->question, .context = in->context, .channel = in->channel->kind,
		.destination = in->channel->destination, .options = in->options, .run_id = in->run_id,
		.state = in->state, .on_timeout = in->on_timeout.ptr != NULL ? in->on_timeout : PL_STR("deny") };
	int64_t timeout_us = in->timeout_s == SHAPE_NONE ? call->req->config->s.feedback_timeout * 1000 :
	    in->timeout_s * 1000000;
	struct pl_err err = { 0 };

	if (call->made.ptr != NULL)
		request_created(call->svc, task, call->made, on_created, call);
	else if (!request_check(call->req->config, task, &r, &err))
		call_fail(call, &err);
	else if (call_limits_more(call, LIMIT_CHANNEL, request_limit_key(task->pool, &r)))
		request_create(call->svc, task, &r, timeout_us, on_created, call);
}

/* ---- looking ---- */

static void on_list(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	const struct feedback_requests_query *q = call->query;
	struct feedback_request_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		request_shape(&items[i], &list->rows[i], call);
	if (list->more)
		call_link_next(call, "role=%s%s%.*s&before=%lld&limit=%d",
		    pl_str_is(q->role, "asked") ? "asked" : "asker", q->status.ptr != NULL ? "&status=" : "",
		    PL_FMT(q->status), (long long)list->rows[list->count - 1].number, list->count);
	call_reply_list(call, &shape_feedback_request_out, items, list->count);
}

void api_request_list(struct call *call)
{
	const struct feedback_requests_query *q = call->query;

	repo_feedback_request_list(call->svc->db, call->req->task, call->req->task->who.user_id,
	    pl_str_is(q->role, "asked"), q->status, q->before == SHAPE_NONE ? 0 : q->before,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_list, call);
}

void api_request_get(struct call *call)
{
	struct pl_str id;

	if (call_uuid(call, 0, &id))
		repo_feedback_request_get(call->svc->db, call->req->task, id, call->req->task->who.user_id, on_request,
		    call);
}

/* ---- ending ---- */

static void on_ended(void *arg, bool ended, const struct feedback_request *request, const struct pl_err *err)
{
	if (err != NULL && !ended && err->code == PL_E_INVALID)
		fail_field(arg, "body.answer", "must be one of the options");
	else
		on_request(arg, request, err);
}

void api_request_respond(struct call *call)
{
	const struct answer_in *in = call->in;
	bool decline = in->decline == 1;
	struct pl_str id;

	if (!call_uuid(call, 0, &id))
		return;
	if (decline && in->answer.ptr != NULL)
		fail_field(call, "body.answer", "must not be given together with decline");
	else if (decline && in->comment.len == 0)
		fail_field(call, "body.comment", "must say why when declining");
	else if (!decline && in->answer.ptr == NULL)
		fail_field(call, "body.answer", "is required unless decline is true");
	else
		request_answer(call->svc, call->req->task, id, decline, in->answer, in->comment, on_ended, call);
}

void api_request_cancel(struct call *call)
{
	struct pl_str id;

	if (call_uuid(call, 0, &id))
		request_cancel(call->svc, call->req->task, id, on_ended, call);
}

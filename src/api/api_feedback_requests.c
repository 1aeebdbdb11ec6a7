/* SPDX-License-Identifier: ISC */
/*
 * Routes of questions put to humans: ask, list, look, respond, cancel.
 */
#include "api/http/call.h"
#include "svc/feedback/request_tell.h"

#define JSON_MAX 16384
#define OPTIONS_MAX 10
#define OPTION_CHARS 64

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

/* The caller did something to it: those whom it concerns learn that too. */
static void on_news(void *arg, const struct feedback_request *request, const struct pl_err *err)
{
	struct call *call = arg;

	if (err == NULL)
		request_tell(call->svc, call->route->status == 201 ? "created" : pl_str_c(call->req->task->pool,
		    request->status), request);
	on_request(call, request, err);
}

/* The request as it is after the caller changed it. */
static void reply_change(struct call *call, struct pl_str id)
{
	repo_feedback_request_get(call->svc->db, call->req->task, id, call->req->task->who.user_id, on_news, call);
}

/* ---- asking ---- */

static bool bad(struct call *call, const char *loc, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, call->req->task->pool, loc, "value_error", "%s", msg);
	call_fail(call, &err);
	return false;
}

/* The address itself, its domain, or *. */
static bool mail_allowed(const struct call *call, struct pl_str address)
{
	const struct pl_list *list = &call->req->config->s.feedback_mail_to;
	const char *at = memrchr(address.ptr, '@', address.len);
	struct pl_str domain = pl_strn(at + 1, (size_t)(address.ptr + address.len - at - 1));

	if (call->req->task->who.access >= ACCESS_OPERATOR)
		return true;
	for (int i = 0; i < list->count; i++) {
		struct pl_str item = pl_str(list->items[i]);

		if (pl_str_is(item, "*") || pl_str_ieq(item, address) || pl_str_ieq(item, domain))
			return true;
	}
	return false;
}

static bool check_channel(struct call *call, const struct channel *channel, struct pl_str *destination_r)
{
	const struct settings *s = &call->req->config->s;
	bool mail = pl_str_is(channel->kind, "mail"), slack = pl_str_is(channel->kind, "slack");
	struct pl_str to = channel->destination;

	*destination_r = to;
	if (mail && s->smtp_url[0] == '\0')
		return bad(call, "body.channel.kind", "mail is off on this server");
	if (slack && s->slack_webhook[0] == '\0')
		return bad(call, "body.channel.kind", "slack is off on this server");
	if ((mail || slack) && s->public_url[0] == '\0')
		return bad(call, "body.channel.kind", "this server has no public_url, so no link can be sent");
	if (slack) {
		*destination_r = PL_STR("webhook");
		return to.ptr == NULL || pl_str_is(to, "webhook") ||
		    bad(call, "body.channel.destination",
		    "must be absent or webhook: the channel belongs to the webhook");
	}
	if (to.ptr == NULL)
		return bad(call, "body.channel.destination", mail ? "an address is needed" : "a user name is needed");
	if (mail && !shape_email_ok(to))
		return bad(call, "body.channel.destination", "must be an e-mail address");
	if (mail && !mail_allowed(call, to))
		return bad(call, "body.channel.destination",
		    "is not among the addresses that this server may mail questions to");
	return true;
}

static bool check_options(struct call *call, struct pl_str options)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list, *other;

	if (options.ptr == NULL)
		return true;
	list = pl_json_parse(call->req->task->pool, options, &err);
	if (list == NULL || list->type != PL_J_ARRAY || list->count < 1 || list->count > OPTIONS_MAX)
		return bad(call, "body.options", "must be a list of 1 to 10 texts");
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next) {
		struct pl_str text = pl_json_str(v);

		if (text.ptr == NULL || text.len < 1 || pl_utf8_count(text.ptr, text.len) > OPTION_CHARS)
			return bad(call, "body.options", "must be texts of 1 to 64 characters");
		for (other = list->first; other != v; other = other->next)
			if (pl_str_eq(other->text, text))
				return bad(call, "body.options", "must differ from each other");
	}
	return true;
}

static bool check_limit(struct call *call, const struct feedback_request *r)
{
	struct pl_pool *pool = call->req->task->pool;
	char *key = pl_sprintf(pool, "%.*s:%.*s", PL_FMT(r->channel), PL_FMT(r->destination));

	for (char *p = key; *p != '\0'; p++)	/* names and addresses are the same in any case */
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	return call_limits_more(call, LIMIT_CHANNEL, pl_str(key));
}

static void on_created(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL && err->code == PL_E_NOT_FOUND)
		bad(call, "body.channel.destination", "there is no user of that name");
	else if (err != NULL)
		call_fail(call, err);
	else
		reply_change(call, pl_str(call->flow));
}

void api_request_create(struct call *call)
{
	const struct feedback_request_in *in = call->in;
	struct pl_task *task = call->req->task;
	struct feedback_request r = { .question = in->question, .context = in->context, .channel = in->channel->kind,
		.options = in->options, .run_id = in->run_id, .state = in->state,
		.on_timeout = in->on_timeout.ptr != NULL ? in->on_timeout : PL_STR("deny") };
	int64_t timeout_us = in->timeout_s == SHAPE_NONE ? call->req->config->s.feedback_timeout * 1000 :
	    in->timeout_s * 1000000;
	char *id = pl_alloc(task->pool, PL_UUID_LEN + 1);

	if (call->made.ptr != NULL) {
		reply_change(call, call->made); /* whoever died before the reply did not tell it either */
		return;
	}
	if (in->context.len > JSON_MAX) {
		bad(call, "body.context", "must have at most 16384 bytes");
		return;
	}
	if (in->state.len > JSON_MAX) {
		bad(call, "body.state", "must have at most 16384 bytes");
		return;
	}
	if (!check_channel(call, in->channel, &r.destination) || !check_options(call, in->options) ||
	    !check_limit(call, &r))
		return;
	pl_uuid_make(id);
	call->flow = id;
	r.id = pl_str(id);
	repo_feedback_request_create(call->svc->db, task, task->who.user_id, &r, timeout_us, on_created, call);
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

static void on_changed(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL && err->code == PL_E_INVALID)
		bad(call, "body.answer", "must be one of the options");
	else if (err != NULL)
		call_fail(call, err);
	else
		reply_change(call, call->param[0]);
}

void api_request_respond(struct call *call)
{
	const struct answer_in *in = call->in;
	bool decline = in->decline == 1;
	struct pl_str id;

	if (!call_uuid(call, 0, &id))
		return;
	if (decline && in->answer.ptr != NULL)
		bad(call, "body.answer", "must not be given together with decline");
	else if (decline && in->comment.len == 0)
		bad(call, "body.comment", "must say why when declining");
	else if (!decline && in->answer.ptr == NULL)
		bad(call, "body.answer", "is required unless decline is true");
	else
		repo_feedback_request_answer(call->svc->db, call->req->task, id, call->req->task->who.user_id, decline,
		    in->answer, in->comment, on_changed, call);
}

void api_request_cancel(struct call *call)
{
	struct pl_str id;

	if (call_uuid(call, 0, &id))
		repo_feedback_request_cancel(call->svc->db, call->req->task, id, call->req->task->who.user_id,
		    on_changed, call);
}

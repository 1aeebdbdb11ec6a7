/* SPDX-License-Identifier: ISC */
/*
 * Routes of questions in words.
 */
#include "api/http/call.h"
#include "api/query_shape.h"
#include "db/repo/repo_query.h"

#define BEGINNINGS_MAX 16

static void on_answer(void *arg, const struct query_answer *a, const struct pl_err *err)
{
	struct call *call = arg;
	struct query_answer refused;
	struct query_out out;

	if (err != NULL && a != NULL && ((const struct query_in *)call->in)->context.ptr != NULL) {
		refused = *a;
		query_compose_refusal(call->req->task->pool, err, call->req->task->who.user_id, &refused);
		a = &refused;
		err = NULL;
	}
	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	out = query_shape(a);
	call_reply(call, &shape_query_out, &out);
}

void api_query(struct call *call)
{
	if (!call_anonymous(call, "query"))
		return;
	query_ask(call->svc, call->req->config, call->req->task, ((const struct query_in *)call->in)->query,
	    req_header(call->req, "X-Timezone"), NULL, on_answer, call);
}

void api_vocabulary(struct call *call)
{
	struct query_vocabulary v;
	struct vocabulary_out out;

	if (!call_anonymous(call, "query"))
		return;
	query_vocabulary(call->req->task->pool, &v);
	out = (struct vocabulary_out){ .metrics = v.metrics, .dimensions = v.dimensions, .aggregates = v.aggregates,
		.thresholds = v.thresholds, .periods = v.periods, .samples = v.samples };
	call_reply(call, &shape_vocabulary_out, &out);
}

static void on_history(void *arg, const struct query_past_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct query_past_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct query_past_out){ .id = list->rows[i].id, .query = list->rows[i].query,
			.intent = list->rows[i].intent, .rows = list->rows[i].rows,
			.created_at = list->rows[i].created_us, .expires_at = list->rows[i].expires_us };
	call_reply_list(call, &shape_query_past_out, items, list->count);
}

void api_query_history(struct call *call)
{
	const struct query_list *q = call->query;

	repo_query_history(call->svc->db, call->req->task, call->req->task->who.user_id,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_history, call);
}

static bool wants_text(const struct call *call, const struct query_suggestion_list *list)
{
	const struct suggestions_query *q = call->query;
	struct pl_str format = q->format.ptr != NULL ? q->format : list->format;

	if (pl_str_is(format, "text") || pl_str_is(format, "objects"))
		return pl_str_is(format, "text");
	return call->req->config->s.suggestions_format == SUGGESTIONS_TEXT;
}

static void on_suggestions(void *arg, const struct query_suggestion_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct pl_pool *pool = call->req->task->pool;
	const char *const *beginnings = query_beginnings(call->req->task->who.user_id);
	struct suggestion_out *items;
	int count = 0;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(pool, ((size_t)list->count + BEGINNINGS_MAX) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		if (list->rows[i].text.ptr != NULL)
			items[count++] = (struct suggestion_out){ .text = list->rows[i].text,
				.reason = list->rows[i].reason };
	for (int i = 0; list->beginner && i < BEGINNINGS_MAX && beginnings[i] != NULL; i++)
		items[count++] = (struct suggestion_out){ .text = pl_str(beginnings[i]),
			.reason = PL_STR("A question to begin with.") };
	call_reply_list(call, wants_text(call, list) ? shape_bare(&shape_suggestion_out, pool) : &shape_suggestion_out,
	    items, count);
}

void api_suggestions(struct call *call)
{
	if (!call_anonymous(call, "suggestions"))
		return;
	repo_query_suggest(call->svc->db, call->req->task, call->req->task->who.user_id, on_suggestions, call);
}

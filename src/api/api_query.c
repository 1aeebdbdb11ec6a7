/* SPDX-License-Identifier: ISC */
/*
 * Routes of questions in words.
 */
#include "api/http/request.h"
#include "api/query_shape.h"
#include "db/repo/repo_query.h"

#define BEGINNINGS_MAX 16

static void on_answer(void *arg, const struct query_answer *a, const struct pl_err *err)
{
	struct request *request = arg;
	struct query_answer refused;
	struct query_out out;

	if (err != NULL && a != NULL && ((const struct query_in *)request->in)->context.ptr != NULL) {
		refused = *a;
		query_compose_refusal(request->req->task->pool, err, request->req->task->who.user_id, &refused);
		a = &refused;
		err = NULL;
	}
	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out = query_shape(a);
	request_reply(request, &shape_query_out, &out);
}

void api_query(struct request *request)
{
	if (!request_anonymous(request, "query"))
		return;
	query_ask(request->svc, request->req->config, request->req->task, ((const struct query_in *)request->in)->query,
	    req_header(request->req, "X-Timezone"), NULL, on_answer, request);
}

void api_vocabulary(struct request *request)
{
	struct query_vocabulary v;
	struct vocabulary_out out;

	if (!request_anonymous(request, "query"))
		return;
	query_vocabulary(request->req->task->pool, &v);
	out = (struct vocabulary_out){ .metrics = v.metrics, .dimensions = v.dimensions, .aggregates = v.aggregates,
		.thresholds = v.thresholds, .periods = v.periods, .samples = v.samples };
	request_reply(request, &shape_vocabulary_out, &out);
}

static void on_history(void *arg, const struct query_past_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct query_past_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct query_past_out){ .id = list->rows[i].id, .query = list->rows[i].query,
			.intent = list->rows[i].intent, .rows = list->rows[i].rows,
			.created_at = list->rows[i].created_us, .expires_at = list->rows[i].expires_us };
	request_reply_list(request, &shape_query_past_out, items, list->count);
}

void api_query_history(struct request *request)
{
	const struct query_list *q = request->query;

	repo_query_history(request->svc->db, request->req->task, request->req->task->who.user_id,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_history, request);
}

static bool wants_text(const struct request *request, const struct query_suggestion_list *list)
{
	const struct suggestions_query *q = request->query;
	struct pl_str format = q->format.ptr != NULL ? q->format : list->format;

	if (pl_str_is(format, "text") || pl_str_is(format, "objects"))
		return pl_str_is(format, "text");
	return request->req->config->s.suggestions_format == SUGGESTIONS_TEXT;
}

static void on_suggestions(void *arg, const struct query_suggestion_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_pool *pool = request->req->task->pool;
	const char *const *beginnings = query_beginnings(request->req->task->who.user_id);
	struct suggestion_out *items;
	int count = 0;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(pool, ((size_t)list->count + BEGINNINGS_MAX) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		if (list->rows[i].text.ptr != NULL)
			items[count++] = (struct suggestion_out){ .text = list->rows[i].text,
				.reason = list->rows[i].reason };
	for (int i = 0; list->beginner && i < BEGINNINGS_MAX && beginnings[i] != NULL; i++)
		items[count++] = (struct suggestion_out){ .text = pl_str(beginnings[i]),
			.reason = PL_STR("A first question.") };
	request_reply_list(request,
	    wants_text(request, list) ? shape_bare(&shape_suggestion_out, pool) : &shape_suggestion_out, items, count);
}

void api_suggestions(struct request *request)
{
	if (!request_anonymous(request, "suggestions"))
		return;
	repo_query_suggest(
	    request->svc->db, request->req->task, request->req->task->who.user_id, on_suggestions, request);
}

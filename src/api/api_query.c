/* SPDX-License-Identifier: ISC */
/*
 * Routes of questions in words.
 */
#include "api/http/call.h"
#include "api/query_shape.h"
#include "db/repo/repo_query.h"

static void on_answer(void *arg, const struct query_answer *a, const struct pl_err *err)
{
	struct call *call = arg;
	struct query_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	out = query_shape(a);
	call_reply(call, &shape_query_out, &out);
}

void api_query(struct call *call)
{
	query_ask(call->svc, call->req->config, call->req->task, ((const struct query_in *)call->in)->query, NULL,
	    on_answer, call);
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

static void on_suggestions(void *arg, const struct query_suggestion_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct suggestion_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct suggestion_out){ .text = list->rows[i].text, .reason = list->rows[i].reason };
	call_reply_list(call, &shape_suggestion_out, items, list->count);
}

void api_suggestions(struct call *call)
{
	repo_query_suggest(call->svc->db, call->req->task, call->req->task->who.user_id, on_suggestions, call);
}

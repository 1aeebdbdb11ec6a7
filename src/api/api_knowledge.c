/* SPDX-License-Identifier: ISC */
/*
 * Routes of the knowledge base.
 */
#include "api/http/call.h"
#include "svc/knowledge/knowledge.h"

static void knowledge_shape(struct knowledge_out *out, const struct knowledge *d)
{
	*out = (struct knowledge_out){ .id = d->id, .title = d->title, .source = d->source, .bytes = d->bytes,
		.chunks = d->chunks, .sha256 = d->sha256, .author = d->author, .created_at = d->created_us,
		.updated_at = d->updated_us, .language = d->language, .found_by = d->found_by, .text = d->text };
}

/* Otherwise 403 was sent. */
static bool may_write(struct call *call)
{
	struct pl_err err = { 0 };

	if (knowledge_may_change(&call->req->task->who, &err))
		return true;
	call_fail(call, &err);
	return false;
}

static void on_put(void *arg, const struct knowledge *document, const struct pl_err *err)
{
	struct call *call = arg;
	struct knowledge_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	knowledge_shape(&out, document);
	call_location(call, "/api/knowledge/%lld", (long long)document->id);
	call_reply_status(call, 201, &shape_knowledge_out, &out);
}

static void on_document(void *arg, const struct knowledge *document, const struct pl_err *err)
{
	struct call *call = arg;
	struct knowledge_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	knowledge_shape(&out, document);
	if (call->route->status == 201) {	/* it was added, and its reply was lost */
		out.text = PL_STR_NONE;
		call_location(call, "/api/knowledge/%lld", (long long)document->id);
	}
	call_reply(call, &shape_knowledge_out, &out);
}

void api_knowledge_add(struct call *call)
{
	const struct knowledge_in *in = call->in;
	struct knowledge document = { .title = in->title, .text = in->text, .language = in->language };
	struct pl_err err = { 0 };
	int64_t made;

	if (!may_write(call))
		return;
	if (call_made_id(call, &made)) {
		repo_knowledge_get(call->svc->db, call->req->task, made, on_document, call);
		return;
	}
	if (knowledge_language(call->req->config, call->req->task->pool, &document.language, &err))
		knowledge_add(call->svc, call->req->task, &document, on_put, call);
	else
		call_fail(call, &err);
}

static void on_list(void *arg, const struct knowledge_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct knowledge_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		knowledge_shape(&items[i], &list->rows[i]);
	if (list->more)
		call_link_next(call, "after=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	call_reply_list(call, &shape_knowledge_out, items, list->count);
}

void api_knowledge_list(struct call *call)
{
	const struct list_query *q = call->query;

	repo_knowledge_list(call->svc->db, call->req->task, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_list, call);
}

void api_knowledge_get(struct call *call)
{
	if (call_id(call, 0, &call->id))
		repo_knowledge_get(call->svc->db, call->req->task, call->id, on_document, call);
}

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	call_reply_empty(call);
}

void api_knowledge_delete(struct call *call)
{
	if (may_write(call) && call_id(call, 0, &call->id))
		knowledge_remove(call->svc, call->req->task, call->id, on_deleted, call);
}

static void on_passages(void *arg, const struct passage_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct passage_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct passage *p = &list->rows[i];

		items[i] = (struct passage_out){ .document = p->document_id, .title = p->title, .from = p->first,
			.to = p->last, .text = p->text, .score = p->score,
			.match = p->similar ? PL_STR("similar") : PL_STR("words") };
	}
	call_reply_list(call, &shape_passage_out, items, list->count);
}

void api_knowledge_search(struct call *call)
{
	const struct knowledge_search_in *in = call->in;

	knowledge_search(call->svc, call->req->task, in->query, in->operators == 1,
	    in->limit == SHAPE_NONE ? 5 : (int)in->limit, on_passages, call);
}

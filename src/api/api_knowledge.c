/* SPDX-License-Identifier: ISC */
/*
 * Routes of the knowledge base.
 */
#include "api/http/request.h"
#include "svc/knowledge/knowledge.h"

static void knowledge_shape(struct knowledge_out *out, const struct knowledge *d)
{
	*out = (struct knowledge_out){ .id = d->id, .title = d->title, .source = d->source, .bytes = d->bytes,
		.chunks = d->chunks, .sha256 = d->sha256, .author = d->author, .created_at = d->created_us,
		.updated_at = d->updated_us, .language = d->language, .found_by = d->found_by, .text = d->text };
}

/* false: 403 was sent. */
static bool may_write(struct request *request)
{
	struct pl_err err = { 0 };

	if (knowledge_may_change(&request->req->task->who, &err))
		return true;
	request_fail(request, &err);
	return false;
}

static void on_put(void *arg, const struct knowledge *document, const struct pl_err *err)
{
	struct request *request = arg;
	struct knowledge_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	knowledge_shape(&out, document);
	request_location(request, "/api/knowledge/%lld", (long long)document->id);
	request_reply_status(request, 201, &shape_knowledge_out, &out);
}

static void on_document(void *arg, const struct knowledge *document, const struct pl_err *err)
{
	struct request *request = arg;
	struct knowledge_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	knowledge_shape(&out, document);
	if (request->route->status == 201) {	/* it was added, but its reply was lost */
		out.text = PL_STR_NONE;
		request_location(request, "/api/knowledge/%lld", (long long)document->id);
	}
	request_reply(request, &shape_knowledge_out, &out);
}

void api_knowledge_add(struct request *request)
{
	const struct knowledge_in *in = request->in;
	struct knowledge document = { .title = in->title, .text = in->text, .language = in->language };
	struct pl_err err = { 0 };
	int64_t made;

	if (!may_write(request))
		return;
	if (request_made_id(request, &made)) {
		repo_knowledge_get(request->svc->db, request->req->task, made, on_document, request);
		return;
	}
	if (knowledge_language(request->req->config, request->req->task->pool, &document.language, &err))
		knowledge_add(request->svc, request->req->task, &document, on_put, request);
	else
		request_fail(request, &err);
}

static void on_list(void *arg, const struct knowledge_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct knowledge_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		knowledge_shape(&items[i], &list->rows[i]);
	if (list->more)
		request_link_next(
		    request, "after=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	request_reply_list(request, &shape_knowledge_out, items, list->count);
}

void api_knowledge_list(struct request *request)
{
	const struct list_query *q = request->query;

	repo_knowledge_list(request->svc->db, request->req->task, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_list, request);
}

void api_knowledge_get(struct request *request)
{
	if (request_id(request, 0, &request->id))
		repo_knowledge_get(request->svc->db, request->req->task, request->id, on_document, request);
}

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	request_reply_empty(request);
}

void api_knowledge_delete(struct request *request)
{
	if (may_write(request) && request_id(request, 0, &request->id))
		knowledge_remove(request->svc, request->req->task, request->id, on_deleted, request);
}

static void on_passages(void *arg, const struct passage_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct passage_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct passage *p = &list->rows[i];

		items[i] = (struct passage_out){ .document = p->document_id, .title = p->title, .from = p->first,
			.to = p->last, .text = p->text, .score = p->score,
			.match = p->similar ? PL_STR("similar") : PL_STR("words") };
	}
	request_reply_list(request, &shape_passage_out, items, list->count);
}

void api_knowledge_search(struct request *request)
{
	const struct knowledge_search_in *in = request->in;

	knowledge_search(request->svc, request->req->task, in->query, in->operators == 1,
	    in->limit == SHAPE_NONE ? 5 : (int)in->limit, on_passages, request);
}

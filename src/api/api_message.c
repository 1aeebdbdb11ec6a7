/* SPDX-License-Identifier: ISC */
/*
 * Routes of one message: read, edit, delete, earlier texts.
 */
#include "api/http/request.h"
#include "api/room_shape.h"
#include "svc/room/revise.h"

struct address { int64_t room_id, seq; };

static bool read_address(struct request *request, struct address *at)
{
	return request_id(request, 0, &at->room_id) && request_id(request, 1, &at->seq);
}

static void on_message(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	const struct address *at = request->flow;
	struct message_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->count == 0 || list->rows[0].seq != at->seq) {
		request_fail_code(request, PL_E_NOT_FOUND);
		return;
	}
	message_shape(&out, &list->rows[0], request->req->task->pool);
	request_reply(request, &shape_message_out, &out);
}

/* As a page of one, because this adds the names of the author. */
static void reply_message(struct request *request)
{
	const struct address *at = request->flow;
	struct message_range range = { .after = at->seq - 1, .limit = 1, .most = INT32_MAX, .bytes = DB_PAGE_BYTES };

	repo_message_page(request->svc->db, request->req->task, at->room_id, request->req->task->who.user_id, &range,
	    on_message, request);
}

void api_message_get(struct request *request)
{
	struct address *at = pl_alloc(request->req->task->pool, sizeof(*at));

	request->flow = at;
	if (read_address(request, at))
		reply_message(request);
}

static void on_edited(void *arg, const struct message_changed *result, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		reply_message(request);
}

void api_message_edit(struct request *request)
{
	const struct message_edit_in *in = request->in;
	struct address *at = pl_alloc(request->req->task->pool, sizeof(*at));
	struct pl_err err = { 0 };

	request->flow = at;
	if (!read_address(request, at))
		return;
	if (!content_fits(request->req->config, in->content, request->req->task->pool, &err))
		request_fail(request, &err);
	else
		message_edit(request->svc, request->req->config, request->req->task, at->room_id, at->seq, in->content,
		    on_edited, request);
}

static void on_deleted(void *arg, const struct message_changed *result, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_message_delete(struct request *request)
{
	struct address at;

	if (read_address(request, &at))
		message_delete(request->svc, request->req->config, request->req->task, at.room_id, at.seq, on_deleted,
		    request);
}

static void on_versions(void *arg, const struct message_version_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct version_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct version_out){ .version = list->rows[i].version, .content = list->rows[i].content,
			.written_at = list->rows[i].written_us };
	if (list->more)
		request_link_next(request, "after=%d&limit=%d", list->rows[list->count - 1].version, list->count);
	request_reply_list(request, &shape_version_out, items, list->count);
}

void api_message_versions(struct request *request)
{
	const struct versions_query *q = request->query;
	struct address at;

	if (read_address(request, &at))
		repo_message_versions(request->svc->db, request->req->task, at.room_id, at.seq,
		    q->after == SHAPE_NONE ? 0 : (int)q->after, q->limit == SHAPE_NONE ? 20 : (int)q->limit,
		    on_versions, request);
}

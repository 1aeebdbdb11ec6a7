/* SPDX-License-Identifier: ISC */
/*
 * Routes for the export of the caller's account.
 *
 * A document can have 100 MB, so it is read and sent in parts: the next part is read when the client has everything so
 * far. Each part has a task of its own, whose pool is freed when the part was sent.
 */
#include "api/http/request.h"
#include "clock.h"
#include "svc/account/account_export.h"

#define RETRY_S "2"
#define PART_S 10

static void reply_state(struct request *request, const struct export *export)
{
	int64_t expires_us = account_export_expires(request->req->config, export);
	struct export_out out = { .state = pl_str(export_state_words[export->state]), .created_at = export->created_us,
		.finished_at = export->finished_us > 0 ? export->finished_us : SHAPE_NONE,
		.expires_at = expires_us > 0 ? expires_us : SHAPE_NONE, .bytes = export->bytes };

	if (export->state != EXPORT_DONE)
		req_header_add(request->req, "Retry-After", RETRY_S);
	request_reply_status(request, 202, &shape_export_out, &out);
}

static void on_asked(void *arg, const struct export *export, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		reply_state(arg, export);
}

void api_export_ask(struct request *request)
{
	account_export_ask(request->svc, request->req->config, request->req->task, on_asked, request);
}

/* ---- the document ---- */

struct download { struct request *request; struct pl_str id; int part, parts; bool started; };
struct piece { struct download *download; struct pl_task *task, *reader; };

static void download_next(void *arg);

static void send_piece(struct download *d, struct pl_str body)
{
	struct req *req = d->request->req;

	if (!d->started) {
		req_header_add(req, "Content-Disposition", "attachment; filename=\"account.json\"");
		req_stream_start(req, 200, "application/json");
		d->started = true;
	}
	d->part++;
	if (req->method == REQ_HEAD || !req_stream_chunk(req, body) || d->part == d->parts)
		req_stream_end(req);
	else if (req_stream_wait(req, download_next, d))
		download_next(d);
}

static void on_part(void *arg, const struct pl_str *body, const struct pl_err *err)
{
	struct piece *piece = arg;
	struct download *d = piece->download;
	struct pl_task *task = piece->task, *reader = piece->reader;

	if (err == NULL)
		send_piece(d, *body);
	else if (d->started)
		req_stream_cut(d->request->req);
	else
		request_fail(d->request, err);
	pl_task_release(&task);
	pl_task_release(&reader);
}

static void download_next(void *arg)
{
	struct download *d = arg;
	struct pl_task *task = pl_task_new(pl_now_ns() + PART_S * PL_NS_PER_S);
	struct piece *piece = pl_alloc(task->pool, sizeof(*piece));

	*piece = (struct piece){ .download = d, .task = task, .reader = pl_task_hold(d->request->req->task) };
	repo_export_part(d->request->svc->db, task, d->id, d->part, on_part, piece);
}

static void on_opened(void *arg, const bool *done, const struct pl_err *err)
{
	struct download *d = arg;

	if (err != NULL)
		request_fail(d->request, err);
	else
		download_next(d);
}

static void on_found(void *arg, const struct export *export, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_task *task = request->req->task;
	struct download *d;
	struct pl_err failed = { 0 };

	if (err != NULL) {
		request_fail(request, err);
	} else if (export->state == EXPORT_FAILED) {
		pl_err_set(&failed, PL_E_CONFLICT, "The export failed; request another one.");
		request_fail(request, &failed);
	} else if (export->state != EXPORT_DONE) {
		reply_state(request, export);
	} else {
		d = pl_alloc(task->pool, sizeof(*d));
		*d = (struct download){ .request = request, .id = pl_str_dup(task->pool, export->id),
			.parts = export->parts };
		repo_export_opened(request->svc->db, task, d->id, on_opened, d);
	}
}

void api_export_get(struct request *request)
{
	req_defer(request->req);
	account_export_find(request->svc, request->req->config, request->req->task, on_found, request);
}

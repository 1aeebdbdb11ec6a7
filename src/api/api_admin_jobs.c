/* SPDX-License-Identifier: ISC */
/*
 * Routes of jobs for operators and admins.
 */
#include "api/http/request.h"
#include "db/repo/repo_admin_job.h"

#define JOBS_USUAL 50

static int64_t time_or_none(int64_t us)
{
	return us > 0 ? us : SHAPE_NONE;
}

static void job_shape(struct admin_job_out *out, const struct admin_job *job)
{
	*out = (struct admin_job_out){ .id = job->id, .kind = job->kind, .key = job->key, .lane = job->lane,
		.state = job->state, .tries = job->tries, .to = job->to, .request_id = job->request_id,
		.session_id = job->session_id, .last_error = job->last_error, .due_at = job->due_us,
		.created_at = job->created_us, .started_at = time_or_none(job->started_us),
		.finished_at = time_or_none(job->finished_us), .give_up_at = job->give_up_us };
}

/* An empty page: either there are no older jobs, or the job of `before` was deleted meanwhile. */
static void on_before(void *arg, const struct admin_job *job, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_err gone = { 0 };

	if (err == NULL) {
		request_reply_list(request, &shape_admin_job_out, NULL, 0);
		return;
	}
	if (err->code == PL_E_NOT_FOUND) {
		pl_err_set(&gone, PL_E_NOT_FOUND, "The job of the parameter before no longer exists.");
		err = &gone;
	}
	request_fail(request, err);
}

static void on_jobs(void *arg, const struct admin_job_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	const struct admin_jobs_query *q = request->query;
	struct admin_job_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->count == 0 && q->before.ptr != NULL) {
		repo_admin_job_get(request->svc->db, request->req->task, q->before, on_before, request);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		job_shape(&items[i], &list->rows[i]);
	if (list->more)
		request_link_next(request, "%sbefore=%.*s&limit=%d", page_filters(request),
		    PL_FMT(items[list->count - 1].id), list->count);
	request_reply_list(request, &shape_admin_job_out, items, list->count);
}

void api_admin_jobs(struct request *request)
{
	const struct admin_jobs_query *q = request->query;
	struct admin_job_ask ask = { .kind = q->kind, .state = q->state, .before = q->before,
		.limit = q->limit == SHAPE_NONE ? JOBS_USUAL : (int)q->limit };

	repo_admin_job_list(request->svc->db, request->req->task, &ask, on_jobs, request);
}

static void on_job(void *arg, const struct admin_job *job, const struct pl_err *err)
{
	struct admin_job_out out;

	if (err != NULL) {
		request_fail(arg, err);
		return;
	}
	job_shape(&out, job);
	request_reply(arg, &shape_admin_job_out, &out);
}

void api_admin_job(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		repo_admin_job_get(request->svc->db, request->req->task, id, on_job, request);
}

static void on_retried(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		api_admin_job(request);
}

void api_admin_job_retry(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		repo_admin_job_retry(request->svc->db, request->req->task, id, on_retried, request);
}

static void on_dropped(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_admin_job_drop(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		repo_admin_job_drop(request->svc->db, request->req->task, id, on_dropped, request);
}

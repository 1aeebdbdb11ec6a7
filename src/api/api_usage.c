/* SPDX-License-Identifier: ISC */
/* Routes about usage: the nine figures, their series, and the insights. */
#include "api/http/request.h"
#include "api/usage_shape.h"
#include "clock.h"
#include "svc/usage/memo.h"

struct asked {
	struct request *request;
	struct usage_filter filter;
	bool standing;			/* the default window */
	int lag;			/* days between sessions and series; -1: not requested */
	struct pl_str kpis_key, key;
	struct usage_kpis kpis;
};

/* Reads what the user may see, and the window. NULL: the request has failed. */
static struct asked *begin(struct request *request, const char *word, int64_t start_us, int64_t end_us,
    struct pl_str developer, struct pl_str model)
{
	struct pl_pool *pool = request->req->task->pool;
	struct asked *a = pl_alloc(pool, sizeof(*a));
	struct pl_err err = { 0 };

	*a = (struct asked){ .request = request, .filter = { .developer = developer, .model = model,
		.approved = usage_approved(pool, request->req->config) } };
	if (!request_anonymous(request, word))
		return NULL;
	if (!usage_scope(&request->req->task->who, &a->filter, &err) ||
	    !usage_window(&a->filter, pool, start_us, end_us, SHAPE_NONE, &a->standing, &err)) {
		request_fail(request, &err);
		return NULL;
	}
	a->kpis_key = usage_key(pool, "metrics", &a->filter, a->standing);
	return a;
}

/* ---- GET /api/metrics ---- */

static void reply_kpis(struct asked *a)
{
	req_reply(a->request->req, 200, NULL, usage_kpis_json(a->request->req->task->pool, &a->kpis,
	    a->request->req->config->s.metrics_style == METRICS_PRODLENS, pl_wall_us()));
}

static void on_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct asked *a = arg;

	if (err != NULL) {
		request_fail(a->request, err);
		return;
	}
	a->kpis = *kpis;
	reply_kpis(a);
}

void api_kpis(struct request *request)
{
	const struct metrics_query *q = request->query;
	struct asked *a = begin(request, "metrics", q->start, q->end, q->developer_id, q->model);

	if (a == NULL)
		return;
	if (q->lag_days != SHAPE_NONE) {
		a->filter.lag_days = (int)q->lag_days;
		a->kpis_key = usage_key(request->req->task->pool, "metrics", &a->filter, a->standing);
	}
	if (usage_kpis_known(request->svc, a->kpis_key, &a->kpis))
		reply_kpis(a);
	else
		usage_kpis_ask(request->svc, request->req->task, a->kpis_key, &a->filter, on_kpis, a);
}

/* ---- GET /api/metrics/raw ---- */

static void link_next(struct request *request, const struct points_query *q, int64_t offset, int count)
{
	struct pl_buf out = PL_BUF(request->req->task->pool);
	struct pl_str rest = request->req->query, part, name;

	while (rest.ptr != NULL && pl_str_cut(&rest, '&', &part)) {
		struct pl_str pair = part;

		if (part.len > 0 && pl_str_cut(&pair, '=', &name) && !pl_str_is(name, "offset"))
			pl_buf_addf(&out, "%.*s&", PL_FMT(part));
	}
	if (out.len < 400)
		request_link_next(request, "%soffset=%lld", out.len > 0 ? out.ptr : "", (long long)offset + count);
}

static void on_points(void *arg, const struct usage_point_list *list, const struct pl_err *err)
{
	struct asked *a = arg;
	struct request *request = a->request;
	const struct points_query *q = request->query;
	struct point_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->more)
		link_next(request, q, q->offset == SHAPE_NONE ? 0 : q->offset, list->count);
	if (list->count > 0)
		req_header_addf(request->req, "X-Total-Count", "%lld", (long long)list->total);
	if (pl_str_is(q->format, "csv")) {
		req_header_add(request->req, "Content-Disposition", "attachment; filename=\"metrics.csv\"");
		req_reply(
		    request->req, 200, "text/csv; charset=utf-8", usage_points_csv(request->req->task->pool, list));
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct point_out){ .timestamp = list->rows[i].at_us, .metric = list->rows[i].metric,
			.value = list->rows[i].value, .developer_id = list->rows[i].developer,
			.model = list->rows[i].model };
	request_reply_list(request, &shape_point_out, items, list->count);
}

void api_kpi_points(struct request *request)
{
	const struct points_query *q = request->query;
	struct asked *a = begin(request, "metrics", q->start, q->end, q->developer_id, q->model);

	if (a != NULL)
		repo_usage_points(request->svc->db, request->req->task, &a->filter,
		    q->bucket.ptr != NULL ? pl_str_c(request->req->task->pool, q->bucket) : "day",
		    q->offset == SHAPE_NONE ? 0 : q->offset, q->limit == SHAPE_NONE ? 1000 : (int)q->limit, on_points,
		    a);
}

/* ---- GET /api/insights ---- */

static void on_days(void *arg, const struct usage_day_list *days, const struct pl_err *err)
{
	struct asked *a = arg;
	struct pl_pool *pool = a->request->req->task->pool;
	struct pl_str text;

	if (err != NULL) {
		request_fail(a->request, err);
		return;
	}
	text = usage_insights_json(pool, insights_make(pool, &a->kpis, days, a->lag));
	memo_keep(a->request->svc->memo, a->key, text);
	req_reply(a->request->req, 200, NULL, text);
}

static void on_insights_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct asked *a = arg;

	if (err != NULL) {
		request_fail(a->request, err);
		return;
	}
	a->kpis = *kpis;
	repo_usage_days(a->request->svc->db, a->request->req->task, &a->filter, on_days, a);
}

void api_insights(struct request *request)
{
	const struct metrics_query *q = request->query;
	struct asked *a = begin(request, "insights", q->start, q->end, q->developer_id, q->model);
	struct pl_str kept;

	if (a == NULL)
		return;
	a->lag = q->lag_days == SHAPE_NONE ? -1 : (int)q->lag_days;
	a->key = usage_key(request->req->task->pool, pl_sprintf(request->req->task->pool, "insights %d", a->lag),
	    &a->filter, a->standing);
	kept = memo_find(request->svc->memo, a->key);
	if (kept.ptr != NULL)
		req_reply(request->req, 200, NULL, pl_str_dup(request->req->task->pool, kept));
	else if (usage_kpis_known(request->svc, a->kpis_key, &a->kpis))
		repo_usage_days(request->svc->db, request->req->task, &a->filter, on_days, a);
	else
		usage_kpis_ask(request->svc, request->req->task, a->kpis_key, &a->filter, on_insights_kpis, a);
}

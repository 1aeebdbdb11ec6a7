/* SPDX-License-Identifier: ISC */
/*
 * Routes about usage: the nine figures, their series, the insights.
 */
#include "api/http/call.h"
#include "api/usage_shape.h"
#include "clock.h"
#include "svc/usage/memo.h"

struct asked {
	struct call *call;
	struct usage_filter filter;
	bool standing;			/* the default window */
	int lag;			/* days between sessions and series; -1: not asked for */
	struct pl_str kpis_key, key;
	struct usage_kpis kpis;
};

/* Who may see what, and the window. NULL: it has failed. */
static struct asked *begin(struct call *call, const char *word, int64_t start_us, int64_t end_us,
    struct pl_str developer, struct pl_str model)
{
	struct pl_pool *pool = call->req->task->pool;
	struct asked *a = pl_alloc(pool, sizeof(*a));
	struct pl_err err = { 0 };

	*a = (struct asked){ .call = call, .filter = { .developer = developer, .model = model,
		.approved = usage_approved(pool, call->req->config) } };
	if (!call_anonymous(call, word))
		return NULL;
	if (!usage_scope(&call->req->task->who, &a->filter, &err) ||
	    !usage_window(&a->filter, pool, start_us, end_us, SHAPE_NONE, &a->standing, &err)) {
		call_fail(call, &err);
		return NULL;
	}
	a->kpis_key = usage_key(pool, "metrics", &a->filter, a->standing);
	return a;
}

/* ---- GET /api/metrics ---- */

static void reply_kpis(struct asked *a)
{
	req_reply(a->call->req, 200, NULL, usage_kpis_json(a->call->req->task->pool, &a->kpis,
	    a->call->req->config->s.metrics_style == METRICS_PRODLENS, pl_wall_us()));
}

static void on_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct asked *a = arg;

	if (err != NULL) {
		call_fail(a->call, err);
		return;
	}
	a->kpis = *kpis;
	reply_kpis(a);
}

void api_kpis(struct call *call)
{
	const struct metrics_query *q = call->query;
	struct asked *a = begin(call, "metrics", q->start, q->end, q->developer_id, q->model);

	if (a == NULL)
		return;
	if (q->lag_days != SHAPE_NONE) {
		a->filter.lag_days = (int)q->lag_days;
		a->kpis_key = usage_key(call->req->task->pool, "metrics", &a->filter, a->standing);
	}
	if (usage_kpis_known(call->svc, a->kpis_key, &a->kpis))
		reply_kpis(a);
	else
		usage_kpis_ask(call->svc, call->req->task, a->kpis_key, &a->filter, on_kpis, a);
}

/* ---- GET /api/metrics/raw ---- */

static void link_next(struct call *call, const struct points_query *q, int64_t offset, int count)
{
	struct pl_buf out = PL_BUF(call->req->task->pool);
	struct pl_str rest = call->req->query, part, name;

	while (rest.ptr != NULL && pl_str_cut(&rest, '&', &part)) {
		struct pl_str pair = part;

		if (part.len > 0 && pl_str_cut(&pair, '=', &name) && !pl_str_is(name, "offset"))
			pl_buf_addf(&out, "%.*s&", PL_FMT(part));
	}
	if (out.len < 400)
		call_link_next(call, "%soffset=%lld", out.len > 0 ? out.ptr : "", (long long)offset + count);
}

static void on_points(void *arg, const struct usage_point_list *list, const struct pl_err *err)
{
	struct asked *a = arg;
	struct call *call = a->call;
	const struct points_query *q = call->query;
	struct point_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	if (list->more)
		link_next(call, q, q->offset == SHAPE_NONE ? 0 : q->offset, list->count);
	if (list->count > 0)
		req_header_addf(call->req, "X-Total-Count", "%lld", (long long)list->total);
	if (pl_str_is(q->format, "csv")) {
		req_header_add(call->req, "Content-Disposition", "attachment; filename=\"metrics.csv\"");
		req_reply(call->req, 200, "text/csv; charset=utf-8", usage_points_csv(call->req->task->pool, list));
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct point_out){ .timestamp = list->rows[i].at_us, .metric = list->rows[i].metric,
			.value = list->rows[i].value, .developer_id = list->rows[i].developer,
			.model = list->rows[i].model };
	call_reply_list(call, &shape_point_out, items, list->count);
}

void api_kpi_points(struct call *call)
{
	const struct points_query *q = call->query;
	struct asked *a = begin(call, "metrics", q->start, q->end, q->developer_id, q->model);

	if (a != NULL)
		repo_usage_points(call->svc->db, call->req->task, &a->filter,
		    q->bucket.ptr != NULL ? pl_str_c(call->req->task->pool, q->bucket) : "day",
		    q->offset == SHAPE_NONE ? 0 : q->offset, q->limit == SHAPE_NONE ? 1000 : (int)q->limit, on_points,
		    a);
}

/* ---- GET /api/insights ---- */

static void on_days(void *arg, const struct usage_day_list *days, const struct pl_err *err)
{
	struct asked *a = arg;
	struct pl_pool *pool = a->call->req->task->pool;
	struct pl_str text;

	if (err != NULL) {
		call_fail(a->call, err);
		return;
	}
	text = usage_insights_json(pool, insights_make(pool, &a->kpis, days, a->lag));
	memo_keep(a->call->svc->memo, a->key, text);
	req_reply(a->call->req, 200, NULL, text);
}

static void on_insights_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct asked *a = arg;

	if (err != NULL) {
		call_fail(a->call, err);
		return;
	}
	a->kpis = *kpis;
	repo_usage_days(a->call->svc->db, a->call->req->task, &a->filter, on_days, a);
}

void api_insights(struct call *call)
{
	const struct metrics_query *q = call->query;
	struct asked *a = begin(call, "insights", q->start, q->end, q->developer_id, q->model);
	struct pl_str kept;

	if (a == NULL)
		return;
	a->lag = q->lag_days == SHAPE_NONE ? -1 : (int)q->lag_days;
	a->key = usage_key(call->req->task->pool, pl_sprintf(call->req->task->pool, "insights %d", a->lag), &a->filter,
	    a->standing);
	kept = memo_find(call->svc->memo, a->key);
	if (kept.ptr != NULL)
		req_reply(call->req, 200, NULL, pl_str_dup(call->req->task->pool, kept));
	else if (usage_kpis_known(call->svc, a->kpis_key, &a->kpis))
		repo_usage_days(call->svc->db, call->req->task, &a->filter, on_days, a);
	else
		usage_kpis_ask(call->svc, call->req->task, a->kpis_key, &a->filter, on_insights_kpis, a);
}

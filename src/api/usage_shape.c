/* SPDX-License-Identifier: ISC */
/*
 * Figures about usage as JSON and CSV.
 */
#include "api/usage_shape.h"

#include <math.h>

#include "clock.h"
#include "csv.h"

/* The nine figures of ProdLens, in its order. */
static const enum usage_kpi prodlens_kpis[] = { KPI_VELOCITY, KPI_ACCEPTANCE, KPI_MODEL, KPI_ERRORS, KPI_EFFICIENCY,
	KPI_PRS, KPI_COMMITS, KPI_MERGE, KPI_REWORK };

static void write_prodlens(struct pl_jw *w, const struct usage_kpis *kpis, enum usage_kpi kpi)
{
	const struct usage_kpi_info *info = &usage_kpi_infos[kpi];

	pl_jw_key(w, info->name);
	pl_jw_object(w);
	pl_jw_key(w, "value");
	pl_jw_f64(w, isnan(kpis->value[kpi]) ? 0 : kpis->value[kpi]);
	pl_jw_kcstr(w, "unit", info->unit);
	pl_jw_key(w, "threshold");
	pl_jw_f64(w, info->good);
	pl_jw_kcstr(w, "status", usage_kpi_status_word(kpis, kpi));
	pl_jw_end_object(w);
}

/* Writes our figures and, if there are any, those of imported data. */
static void write_ours(struct pl_jw *w, const struct usage_kpis *kpis, enum usage_kpi kpi)
{
	if (kpi >= KPI_OURS && isnan(kpis->value[kpi]))
		return;
	pl_jw_key(w, usage_kpi_infos[kpi].name);
	pl_jw_object(w);
	pl_jw_key(w, "value");
	pl_jw_f64(w, kpis->value[kpi]);
	pl_jw_kcstr(w, "unit", usage_kpi_infos[kpi].unit);
	pl_jw_kcstr(w, "status", usage_kpi_status(kpis, kpi));
	pl_jw_end_object(w);
}

struct pl_str usage_kpis_json(struct pl_pool *pool, const struct usage_kpis *kpis, bool prodlens, int64_t at_us)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);

	pl_jw_object(&w);
	for (size_t i = 0; prodlens && i < PL_COUNT(prodlens_kpis); i++)
		write_prodlens(&w, kpis, prodlens_kpis[i]);
	for (int i = 0; !prodlens && i < KPI_COUNT; i++)
		write_ours(&w, kpis, i);
	if (at_us != 0)
		pl_jw_ktime(&w, "timestamp", at_us);
	pl_jw_end_object(&w);
	return pl_buf_str(&out);
}

static void write_extra(struct pl_jw *w, const struct usage_extra *extra)
{
	pl_jw_key(w, "latency_ms");
	pl_jw_f64(w, extra->latency_ms);
	if (extra->status_code >= 0)
		pl_jw_ki64(w, "status_code", extra->status_code);
	else
		pl_jw_kraw(w, "status_code", PL_STR("null"));
	pl_jw_key(w, "diff_ratio");
	pl_jw_f64(w, extra->diff_ratio);
	if (extra->accepted_lines >= 0)
		pl_jw_ki64(w, "accepted_lines", extra->accepted_lines);
	else
		pl_jw_kraw(w, "accepted_lines", PL_STR("null"));
	pl_jw_kstr(w, "repo_slug", extra->repo_slug);
}

struct pl_str usage_sessions_json(struct pl_pool *pool, const struct usage_session_list *list)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);

	pl_jw_object(&w);
	pl_jw_key(&w, "items");
	pl_jw_array(&w);
	for (int i = 0; i < list->count; i++) {
		const struct usage_session *s = &list->rows[i];

		pl_jw_object(&w);
		pl_jw_kstr(&w, "session_id", s->id);
		pl_jw_kstr(&w, "developer_id", s->developer);
		pl_jw_ktime(&w, "timestamp", s->at_us);
		pl_jw_kstr(&w, "model", s->model);
		pl_jw_ki64(&w, "total_tokens", s->tokens);
		pl_jw_key(&w, "cost_usd");
		pl_jw_f64(&w, (double)s->cost_micros / 1e6);
		pl_jw_key(&w, "accepted_flag");
		if (s->accepted < 0)
			pl_jw_null(&w);
		else
			pl_jw_bool(&w, s->accepted != 0);
		pl_jw_ki64(&w, "tokens_in", s->tokens_in);
		pl_jw_ki64(&w, "tokens_out", s->tokens_out);
		write_extra(&w, &s->extra);
		pl_jw_end_object(&w);
	}
	pl_jw_end_array(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(&out);
}

static struct pl_str sentences(struct pl_pool *pool, const struct pl_str *texts, int count)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);

	pl_jw_array(&w);
	for (int i = 0; i < count; i++)
		pl_jw_str(&w, texts[i]);
	pl_jw_end_array(&w);
	return pl_buf_str(&out);
}

struct pl_str usage_insights_json(struct pl_pool *pool, const struct insights *in)
{
	struct correlation_out *pairs = pl_alloc(pool, ((size_t)in->pairs_count + 1) * sizeof(*pairs));
	struct anomaly_out *days = pl_alloc(pool, ((size_t)in->outliers_count + 1) * sizeof(*days));
	struct insights_out out = { .key_findings = sentences(pool, in->findings, in->findings_count),
		.recommendations = sentences(pool, in->advice, in->advice_count),
		.generated_at = pl_wall_us(), .correlations = { pairs, in->pairs_count },
		.anomalies = { days, in->outliers_count } };

	for (int i = 0; i < in->pairs_count; i++) {
		const struct insights_pair *p = &in->pairs[i];

		pairs[i] = (struct correlation_out){ .variable1 = p->one, .variable2 = p->two, .lag_days = p->lag,
			.n = p->n, .count = p->n, .r = p->r, .effect_size = fabs(p->r), .p_value = p->p,
			.q_value = p->q, .significant = p->significant };
	}
	for (int i = 0; i < in->outliers_count; i++) {
		const struct insights_outlier *o = &in->outliers[i];

		days[i] = (struct anomaly_out){ .metric = o->metric, .timestamp = o->day * 86400 * PL_US_PER_S,
			.value = o->value, .median = o->median, .mad = o->mad };
	}
	return shape_json(&shape_insights_out, &out, pool);
}

struct pl_str usage_points_csv(struct pl_pool *pool, const struct usage_point_list *list)
{
	struct pl_buf out = PL_BUF(pool);
	char time[PL_TIME_LEN];

	pl_buf_adds(&out, "timestamp,metric,value,developer_id,model\r\n");
	for (int i = 0; i < list->count; i++) {
		const struct usage_point *p = &list->rows[i];
		struct pl_jw w = PL_JW(&out);

		pl_time_format(p->at_us, time);
		pl_buf_add(&out, time, PL_TIME_LEN);
		pl_buf_addc(&out, ',');
		pl_buf_addstr(&out, p->metric);
		pl_buf_addc(&out, ',');
		pl_jw_f64(&w, p->value);
		pl_buf_addc(&out, ',');
		pl_csv_cell(&out, p->developer);
		pl_buf_addc(&out, ',');
		pl_csv_cell(&out, p->model);
		pl_buf_adds(&out, "\r\n");
	}
	return pl_buf_str(&out);
}

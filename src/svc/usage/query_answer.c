/* SPDX-License-Identifier: ISC */
/* The parts of an answer: JSON, the sentence with the figures, and the card for a dashboard. */
#include "svc/usage/query_answer.h"

#include <math.h>

#include "clock.h"
#include "json.h"

/*
 * Suggestions about the user's own rows, which every user may ask. They have no groups, so without data their answer is
 * 0 and not an empty table.
 */
static const char *const own[] = { "My messages, last 7 days", "My messages this week vs last week",
	"My sessions, last 30 days", "My tokens, last 30 days", NULL };
/* Suggestions that name no person, so that they require no token. */
static const char *const open[] = { "Messages, last 7 days", "Active users, last 7 days", "Sessions, last 30 days",
	"Tokens, last 30 days", NULL };

const char *const *query_beginnings(int64_t user_id)
{
	return user_id != 0 ? own : open;
}

#define HOUR_LEN 16	/* 2026-11-20T14:00 */
#define NAMED_MAX 3	/* maximum number of figures in the sentence */

static struct pl_buf *new_buf(struct pl_pool *pool)
{
	struct pl_buf *buf = pl_alloc(pool, sizeof(*buf));

	*buf = PL_BUF(pool);
	return buf;
}

/* ---- intent ---- */

static int time_dim(const struct intent *in)
{
	for (int i = 0; i < in->dim_count; i++) {
		if (intent_is_time(in->dims[i]) || intent_is_cycle(in->dims[i]))
			return i;
	}
	return -1;
}

/* One name as a string, several as a list. */
static void write_filters(struct pl_jw *w, const struct intent *in)
{
	static const char *const lists[KIND_COUNT] = { "", "users", "rooms", "models", "roles" };

	pl_jw_object(w);
	if (in->mine)
		pl_jw_kbool(w, "mine", true);
	for (int kind = KIND_USER; kind < KIND_COUNT; kind++) {
		if (in->name_count[kind] == 1)
			pl_jw_kstr(w, intent_kinds[kind], in->names[kind][0]);
		if (in->name_count[kind] < 2)
			continue;
		pl_jw_key(w, lists[kind]);
		pl_jw_array(w);
		for (int i = 0; i < in->name_count[kind]; i++)
			pl_jw_str(w, in->names[kind][i]);
		pl_jw_end_array(w);
	}
	pl_jw_end_object(w);
}

static void write_period(struct pl_jw *w, const char *key, const struct intent_period *period)
{
	pl_jw_key(w, key);
	pl_jw_object(w);
	pl_jw_kcstr(w, "text", period->text);
	pl_jw_ktime(w, "from", period->from_us);
	pl_jw_ktime(w, "to", period->to_us);
	pl_jw_end_object(w);
}

/* Members that only some questions have. */
static void write_extras(struct pl_jw *w, const struct intent *in)
{
	if (in->agg != AGG_SUM)
		pl_jw_kcstr(w, "aggregate", intent_aggs[in->agg]);
	if (in->unit != DIM_NONE)
		pl_jw_kcstr(w, "per", intent_dims[in->unit]);
	if (in->limit != LIMIT_NONE) {
		pl_jw_key(w, "threshold");
		pl_jw_object(w);
		pl_jw_kcstr(w, "is", intent_limits[in->limit]);
		pl_jw_key(w, "value");
		pl_jw_f64(w, in->bound);
		pl_jw_end_object(w);
	}
	if (in->compares)
		write_period(w, "compared_with", &in->before);
	if (in->zone != NULL)
		pl_jw_kcstr(w, "timezone", in->zone);
	if (in->translated)
		pl_jw_kbool(w, "translated", true);
}

/* The first sort key of the rows: a step of time if no order was requested, otherwise the figure. */
static void write_sort(struct pl_jw *w, const struct intent *in)
{
	bool by_time = in->order == ORDER_NONE && time_dim(in) >= 0;

	pl_jw_object(w);
	pl_jw_kcstr(w, "by", by_time ? intent_dims[in->dims[time_dim(in)]] : intent_metrics[in->metric]);
	pl_jw_kcstr(w, "order", by_time || in->order == ORDER_LEAST ? "asc" : "desc");
	pl_jw_end_object(w);
}

static const char *card_type(const struct intent *in)
{
	if (in->metric == METRIC_NONE)
		return "text";
	if (in->dim_count == 0)
		return "number";
	if (in->dim_count > 1 || in->compares)
		return "table";
	/* days that are sorted by their figure do not form a line */
	return intent_is_time(in->dims[0]) && in->order == ORDER_NONE ? "line" : "bar";
}

static const char *level(const struct intent *in)
{
	int time = time_dim(in);

	return time >= 0 ? intent_dims[in->dims[time]] : in->dim_count > 0 ? intent_dims[in->dims[0]] : "total";
}

struct pl_str query_intent_json(struct pl_pool *pool, const struct intent *in)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "metric", intent_metrics[in->metric]);
	pl_jw_key(&w, "dimensions");
	pl_jw_array(&w);
	for (int i = 0; i < in->dim_count; i++)
		pl_jw_cstr(&w, intent_dims[in->dims[i]]);
	pl_jw_end_array(&w);
	pl_jw_key(&w, "filters");
	write_filters(&w, in);
	write_period(&w, "period", &in->period);
	pl_jw_kcstr(&w, "metric_type", intent_metrics[in->metric]);
	pl_jw_kcstr(&w, "time_period", in->period.text);
	pl_jw_kcstr(&w, "aggregation_level", level(in));
	pl_jw_kcstr(&w, "visualization_hint", card_type(in));
	pl_jw_key(&w, "sort");
	write_sort(&w, in);
	write_extras(&w, in);
	if (in->top != 0)
		pl_jw_ki64(&w, "limit", in->top);
	if (in->each != 0)
		pl_jw_kcstr(&w, "limit_per", intent_dims[in->dims[in->each - 1]]);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

/* ---- table ---- */

static const char *unit_of(const struct intent *in)
{
	return in->agg == AGG_SHARE ? "%" : intent_units[in->metric];
}

static void write_column(struct pl_jw *w, const char *name, const char *type, const char *unit)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	pl_jw_kcstr(w, "type", type);
	pl_jw_kcstr(w, "unit", unit);
	pl_jw_end_object(w);
}

static struct pl_str columns_json(struct pl_pool *pool, const struct intent *in)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_array(&w);
	for (int i = 0; i < in->dim_count; i++)
		write_column(&w, intent_dims[in->dims[i]], in->dims[i] == DIM_HOUR ? "time" :
		    intent_is_time(in->dims[i]) ? "date" : "text", NULL);
	write_column(&w, intent_metrics[in->metric], "number", unit_of(in));
	if (in->compares) {
		write_column(&w, "earlier", "number", unit_of(in));
		write_column(&w, "change", "number", unit_of(in));
	}
	pl_jw_end_array(&w);
	return pl_buf_str(buf);
}

static void write_figure(struct pl_jw *w, double value)
{
	if (isnan(value))
		pl_jw_null(w);
	else
		pl_jw_f64(w, value);
}

static void write_figures(struct pl_jw *w, const struct intent *in, const struct query_row *row, bool keys)
{
	if (keys)
		pl_jw_key(w, intent_metrics[in->metric]);
	write_figure(w, row->value);
	if (!in->compares)
		return;
	if (keys)
		pl_jw_key(w, "earlier");
	write_figure(w, row->earlier);
	if (keys)
		pl_jw_key(w, "change");
	write_figure(w, row->value - row->earlier);
}

/* Is the row about a step of time that is only partly in the period? */
static bool is_partial(const struct intent *in, const struct query_row *row)
{
	int time = time_dim(in);
	struct pl_str key = time >= 0 && intent_is_time(in->dims[time]) ? row->key[time] : PL_STR_NONE;
	int64_t start_us;

	if (key.ptr != NULL && in->dims[time] == DIM_HOUR && key.len > HOUR_LEN)
		key.len = HOUR_LEN;		/* without the offset, like the period */
	return key.ptr != NULL && pl_time_parse_lax(key.ptr, key.len, &start_us) &&
	    intent_is_partial(&in->period, in->dims[time], start_us / PL_US_PER_S);
}

static bool listed(const struct pl_str *list, int count, struct pl_str key)
{
	for (int i = 0; i < count; i++)
		if (pl_str_eq(list[i], key))
			return true;
	return false;
}

/* Counts incomplete steps of time: at most the first and the last one. */
static int partial_steps(const struct intent *in, const struct query_rows *rows, struct pl_str out[2])
{
	int count = 0;

	for (int i = 0; i < rows->count && count < 2; i++) {
		if (is_partial(in, &rows->rows[i]) && !listed(out, count, rows->rows[i].key[time_dim(in)]))
			out[count++] = rows->rows[i].key[time_dim(in)];
	}
	return count;
}

static struct pl_str partial_json(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);
	struct pl_str steps[2];
	int count = partial_steps(in, rows, steps);

	pl_jw_array(&w);
	for (int i = 0; i < count; i++)
		pl_jw_str(&w, steps[i]);
	pl_jw_end_array(&w);
	return pl_buf_str(buf);
}

static struct pl_str rows_json(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_array(&w);
	for (int i = 0; i < rows->count; i++) {
		pl_jw_array(&w);
		for (int k = 0; k < in->dim_count; k++)
			pl_jw_str(&w, rows->rows[i].key[k]);
		write_figures(&w, in, &rows->rows[i], false);
		pl_jw_end_array(&w);
	}
	pl_jw_end_array(&w);
	return pl_buf_str(buf);
}

/* The table as objects, with the names of the columns. */
static struct pl_str result_json(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows,
    int64_t took_us)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_key(&w, "data");
	pl_jw_array(&w);
	for (int i = 0; i < rows->count; i++) {
		pl_jw_object(&w);
		for (int k = 0; k < in->dim_count; k++)
			pl_jw_kstr(&w, intent_dims[in->dims[k]], rows->rows[i].key[k]);
		write_figures(&w, in, &rows->rows[i], true);
		pl_jw_end_object(&w);
	}
	pl_jw_end_array(&w);
	pl_jw_key(&w, "columns");
	pl_jw_array(&w);
	for (int i = 0; i < in->dim_count; i++)
		pl_jw_cstr(&w, intent_dims[in->dims[i]]);
	if (in->metric != METRIC_NONE)
		pl_jw_cstr(&w, intent_metrics[in->metric]);
	if (in->compares) {
		pl_jw_cstr(&w, "earlier");
		pl_jw_cstr(&w, "change");
	}
	pl_jw_end_array(&w);
	pl_jw_ki64(&w, "row_count", rows->count);
	pl_jw_key(&w, "processing_time_ms");
	pl_jw_f64(&w, (double)(took_us > 0 ? took_us : 0) / 1000);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

/* ---- words ---- */

/* "user and day" */
static const char *per_what(struct pl_pool *pool, const struct intent *in)
{
	return in->dim_count == 2 ?
	    pl_sprintf(pool, "%s and %s", intent_dim_texts[in->dims[0]], intent_dim_texts[in->dims[1]]) :
	    intent_dim_texts[in->dims[0]];
}

/* "12", "12 (earlier 10: up 2)" */
static void add_value(struct pl_buf *text, const struct intent *in, const struct query_row *row)
{
	double change = row->value - row->earlier;

	if (isnan(row->value))
		pl_buf_adds(text, "no figure");
	else
		pl_buf_addf(text, "%.10g", row->value);
	if (row->key[0].ptr == NULL && in->dim_count == 0)
		pl_buf_addf(text, " %s", unit_of(in));
	if (!in->compares)
		return;
	if (isnan(row->earlier))
		pl_buf_adds(text, ", earlier no figure");
	else
		pl_buf_addf(text, ", earlier %.10g", row->earlier);
	if (!isnan(change))
		pl_buf_addf(text, ": %s", change > 0 ? "up " : change < 0 ? "down " : "no change");
	if (!isnan(change) && change != 0)
		pl_buf_addf(text, "%.10g", fabs(change));
	if (!isnan(change) && change != 0 && row->earlier != 0)
		pl_buf_addf(text, " (%.3g%%)", 100 * fabs(change) / row->earlier);
}

static void add_figure(struct pl_buf *text, const struct intent *in, const struct query_row *row)
{
	add_value(text, in, row);
	pl_buf_adds(text, " (");
	for (int k = 0; k < in->dim_count; k++)
		pl_buf_addf(text, "%s%.*s", k > 0 ? ", " : "", PL_FMT(row->key[k].ptr != NULL ? row->key[k] :
		    PL_STR("unknown")));
	pl_buf_adds(text, ")");
}

/* Returns the row with the extreme figure; the first one if several are equal. */
static const struct query_row *outstanding(const struct intent *in, const struct query_rows *rows)
{
	const struct query_row *best = rows->rows;

	for (int i = 1; i < rows->count; i++) {
		const struct query_row *row = &rows->rows[i];

		if (isnan(best->value) || (in->order == ORDER_LEAST ? row->value < best->value :
		    row->value > best->value))
			best = row;
	}
	return best;
}

static void add_rows(struct pl_buf *text, const struct intent *in, const struct query_rows *rows)
{
	bool lists = in->order != ORDER_NONE || in->limit != LIMIT_NONE || in->compares || in->agg == AGG_SHARE;

	if (in->limit != LIMIT_NONE)
		pl_buf_addf(text, "%d%s %s%s: ", rows->count, rows->more ? " or more" : "",
		    in->dims[0] == DIM_HOUR_OF_DAY ? "hour" : intent_dims[in->dims[0]],
		    rows->count == 1 && !rows->more ? "" : "s");
	else if (!lists && rows->count > 1)
		pl_buf_adds(text, "the most is ");
	if (lists && in->each == 0) {
		for (int i = 0; i < rows->count && i < NAMED_MAX; i++) {
			pl_buf_adds(text, i > 0 ? ", " : "");
			add_figure(text, in, &rows->rows[i]);
		}
		pl_buf_adds(text, rows->count > NAMED_MAX ? " ..." : "");
	} else {
		add_figure(text, in, outstanding(in, rows));
	}
	/* a user who was active on two days is one user, not two, so such counts have no sum */
	if (intent_adds_up(in) && !in->compares && in->limit == LIMIT_NONE)
		pl_buf_addf(text, "; %.10g in all", rows->total);
	pl_buf_adds(text, rows->more ? "; there are more rows than are shown" : "");
}

/* The question as it was understood, and the most notable figures. */
static struct pl_str sentence(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows)
{
	struct pl_buf *text = new_buf(pool);
	struct pl_str steps[2];
	int count = partial_steps(in, rows, steps);

	pl_buf_addf(text, "%s: ", intent_understood(pool, in));
	if (rows->count == 0 && in->dim_count > 0 && in->agg == AGG_SUM && intent_adds_up(in))
		pl_buf_addf(text, "no %s", in->limit != LIMIT_NONE ? intent_dim_texts[in->dims[0]] :
		    intent_metrics[in->metric]);
	else if (rows->count == 0)
		pl_buf_adds(text, "there are no data");
	else if (in->dim_count == 0)
		add_value(text, in, &rows->rows[0]);
	else
		add_rows(text, in, rows);
	for (int i = 0; i < count; i++)
		pl_buf_addf(text, "%s%.*s", i == 0 ? "; not whole: " : ", ", PL_FMT(steps[i]));
	pl_buf_adds(text, ".");
	return pl_buf_str(text);
}

static struct pl_str title(struct pl_pool *pool, const struct intent *in)
{
	struct pl_buf *text = new_buf(pool);

	if (in->agg != AGG_SUM)
		pl_buf_addf(text, "%s of ", intent_aggs[in->agg]);
	pl_buf_adds(text, intent_metrics[in->metric]);
	if (in->unit != DIM_NONE)
		pl_buf_addf(text, " per %s", intent_dims[in->unit]);
	if (in->dim_count > 0)
		pl_buf_addf(text, "%s %s", in->unit != DIM_NONE ? " by" : " per", per_what(pool, in));
	if (in->top != 0)
		pl_buf_addf(text, ", %s %d", in->order == ORDER_LEAST ? "lowest" : "top", in->top);
	pl_buf_addf(text, ", %s", in->period.text);
	if (in->compares)
		pl_buf_addf(text, ", compared with %s", in->before.text);
	return pl_buf_str(text);
}

static struct pl_str card_json(struct pl_pool *pool, const struct intent *in, struct pl_str heading,
    struct pl_str query)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", card_type(in));
	pl_jw_kstr(&w, "title", heading);
	pl_jw_kstr(&w, "query", query);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

static struct pl_str visualization_json(struct pl_pool *pool, const struct intent *in, struct pl_str heading)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "chart_type", card_type(in));
	pl_jw_kstr(&w, "title", heading);
	pl_jw_key(&w, "config");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "x", in->dim_count > 0 ? intent_dims[in->dims[0]] : NULL);
	pl_jw_kcstr(&w, "y", in->metric != METRIC_NONE ? intent_metrics[in->metric] : NULL);
	pl_jw_kcstr(&w, "unit", unit_of(in));
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

void query_compose(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows, int64_t took_us,
    struct query_answer *answer)
{
	struct pl_str heading = title(pool, in);

	answer->columns = columns_json(pool, in);
	answer->rows = rows_json(pool, in, rows);
	answer->partial = partial_json(pool, in, rows);
	answer->understood = pl_str(intent_understood(pool, in));
	answer->summary = sentence(pool, in, rows);
	answer->card = card_json(pool, in, heading, answer->query);
	answer->result = result_json(pool, in, rows, took_us);
	answer->visualization = visualization_json(pool, in, heading);
	answer->truncated = rows->more;
}

/* ---- refusals ---- */

struct pl_str query_reason(struct pl_pool *pool, const struct pl_err *err, const char *before)
{
	struct pl_buf *text = new_buf(pool);

	for (const struct pl_field_err *f = err->fields; f != NULL; f = f->next)
		pl_buf_addf(text, "%s%s%s", text->len > 0 ? " " : "", before, f->msg);
	return text->len > 0 ? pl_buf_str(text) : pl_str(pl_err_text(err));
}

void query_compose_refusal(struct pl_pool *pool, const struct pl_err *err, int64_t user_id,
    struct query_answer *answer)
{
	static const struct query_rows none = { .count = 0 };
	struct intent in = { .metric = METRIC_NONE, .period = { .from_us = answer->created_us,
	    .to_us = answer->created_us } };
	bool barred = err->code == PL_E_UNAUTHORIZED;
	struct pl_str heading = barred ? PL_STR("Login required") : PL_STR("Not understood");
	struct pl_str why = query_reason(pool, err, "");
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "error_type", barred ? "login_required" : "not_understood");
	pl_jw_kstr(&w, "message", why);
	pl_jw_kcstr(&w, "recovery_action", barred ? "login" : "rephrase");
	pl_jw_key(&w, "suggestions");
	pl_jw_array(&w);
	for (const char *const *text = query_beginnings(user_id); *text != NULL; text++)
		pl_jw_cstr(&w, *text);
	pl_jw_end_array(&w);
	pl_jw_end_object(&w);
	answer->error = pl_buf_str(buf);
	answer->intent = query_intent_json(pool, &in);
	answer->columns = answer->rows = answer->partial = PL_STR("[]");
	answer->summary = why;
	answer->card = card_json(pool, &in, heading, answer->query);
	answer->result = result_json(pool, &in, &none, 0);
	answer->visualization = visualization_json(pool, &in, heading);
}

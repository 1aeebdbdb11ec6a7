/* SPDX-License-Identifier: ISC */
/*
 * The parts of an answer: JSON texts, the sentence that names the figures, the card for a dashboard.
 */
#include "svc/usage/query_answer.h"

#include "json.h"

/* Understood by intent.c, and about the asker's own rows, so that any user may ask them. */
static const char *const own[] = { "My messages per day, last 7 days", "My messages per room, last 30 days",
	"My sessions per day, last 30 days", "My tokens per model, last 30 days", NULL };
/* Those that name nobody, so that they need no token. */
static const char *const open[] = { "Messages per day, last 7 days", "Users per day, last 7 days",
	"Sessions per day, last 30 days", "Tokens per model, last 30 days", NULL };

const char *const *query_beginnings(int64_t user_id)
{
	return user_id != 0 ? own : open;
}

#define NAMED_MAX 3	/* figures that the sentence names */

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
		if (intent_is_time(in->dims[i]))
			return i;
	}
	return -1;
}

static void write_filters(struct pl_jw *w, const struct intent *in)
{
	pl_jw_object(w);
	if (in->mine)
		pl_jw_kbool(w, "mine", true);
	if (in->user.ptr != NULL)
		pl_jw_kstr(w, "user", in->user);
	if (in->room.ptr != NULL)
		pl_jw_kstr(w, "room", in->room);
	if (in->model.ptr != NULL)
		pl_jw_kstr(w, "model", in->model);
	pl_jw_end_object(w);
}

/* What the rows are ordered by first: a step of time where nothing else is asked, else the figure. */
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
	if (in->dim_count > 1)
		return "table";
	/* days that are ordered by their figure make no line */
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
	pl_jw_key(&w, "period");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "text", in->period);
	pl_jw_ktime(&w, "from", in->from_us);
	pl_jw_ktime(&w, "to", in->to_us);
	pl_jw_end_object(&w);
	pl_jw_kcstr(&w, "metric_type", intent_metrics[in->metric]);
	pl_jw_kcstr(&w, "time_period", in->period);
	pl_jw_kcstr(&w, "aggregation_level", level(in));
	pl_jw_kcstr(&w, "visualization_hint", card_type(in));
	pl_jw_key(&w, "sort");
	write_sort(&w, in);
	if (in->top != 0)
		pl_jw_ki64(&w, "limit", in->top);
	if (in->each != 0)
		pl_jw_kcstr(&w, "limit_per", intent_dims[in->dims[in->each - 1]]);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

/* ---- table ---- */

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
		write_column(&w, intent_dims[in->dims[i]], intent_is_time(in->dims[i]) ? "date" : "text", NULL);
	write_column(&w, intent_metrics[in->metric], "number", intent_units[in->metric]);
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
		pl_jw_f64(&w, rows->rows[i].value);
		pl_jw_end_array(&w);
	}
	pl_jw_end_array(&w);
	return pl_buf_str(buf);
}

/* The same as objects, with the names of the columns. */
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
		pl_jw_key(&w, intent_metrics[in->metric]);
		pl_jw_f64(&w, rows->rows[i].value);
		pl_jw_end_object(&w);
	}
	pl_jw_end_array(&w);
	pl_jw_key(&w, "columns");
	pl_jw_array(&w);
	for (int i = 0; i < in->dim_count; i++)
		pl_jw_cstr(&w, intent_dims[in->dims[i]]);
	if (in->metric != METRIC_NONE)
		pl_jw_cstr(&w, intent_metrics[in->metric]);
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
	return in->dim_count == 2 ? pl_sprintf(pool, "%s and %s", intent_dims[in->dims[0]], intent_dims[in->dims[1]]) :
	    intent_dims[in->dims[0]];
}

static const char *superlative(const struct intent *in)
{
	if (in->order != ORDER_LEAST)
		return "most";
	return in->metric == METRIC_COST ? "least" : "fewest";
}

static void add_figure(struct pl_buf *text, const struct intent *in, const struct query_row *row)
{
	pl_buf_addf(text, "%.10g (", row->value);
	for (int k = 0; k < in->dim_count; k++)
		pl_buf_addf(text, "%s%.*s", k > 0 ? ", " : "", PL_FMT(row->key[k].ptr != NULL ? row->key[k] :
		    PL_STR("unknown")));
	pl_buf_adds(text, ")");
}

/* The row that stands out; the first of several that do so equally. */
static const struct query_row *outstanding(const struct intent *in, const struct query_rows *rows)
{
	const struct query_row *best = rows->rows;

	for (int i = 1; i < rows->count; i++) {
		const struct query_row *row = &rows->rows[i];

		if (in->order == ORDER_LEAST ? row->value < best->value : row->value > best->value)
			best = row;
	}
	return best;
}

static struct pl_str sentence(struct pl_pool *pool, const struct intent *in, const struct query_rows *rows)
{
	struct pl_buf *text = new_buf(pool);
	const char *unit = intent_units[in->metric];

	if (in->dim_count == 0) {
		pl_buf_addf(text, "%.10g %s, %s.", rows->rows[0].value, unit, in->period);
		return pl_buf_str(text);
	}
	if (rows->count == 0) {
		pl_buf_addf(text, "No %s, %s.", unit, in->period);
		return pl_buf_str(text);
	}
	pl_buf_addf(text, "The %s %s per %s, %s: ", superlative(in), unit, per_what(pool, in), in->period);
	if (in->top != 0 && in->each == 0) {
		for (int i = 0; i < rows->count && i < NAMED_MAX; i++) {
			pl_buf_adds(text, i > 0 ? ", " : "");
			add_figure(text, in, &rows->rows[i]);
		}
	} else {
		add_figure(text, in, outstanding(in, rows));
	}
	/* who came on two days is one user, not two: such counts have no sum */
	if (in->metric != METRIC_USERS && in->metric != METRIC_ROOMS)
		pl_buf_addf(text, "; %.10g in all", rows->total);
	pl_buf_addf(text, "%s.", rows->more ? "; there are more rows than are shown" : "");
	return pl_buf_str(text);
}

static struct pl_str title(struct pl_pool *pool, const struct intent *in)
{
	struct pl_buf *text = new_buf(pool);

	pl_buf_adds(text, intent_metrics[in->metric]);
	if (in->dim_count > 0)
		pl_buf_addf(text, " per %s", per_what(pool, in));
	if (in->top != 0)
		pl_buf_addf(text, ", %s %d", in->order == ORDER_LEAST ? "lowest" : "top", in->top);
	pl_buf_addf(text, ", %s", in->period);
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
	pl_jw_kcstr(&w, "unit", intent_units[in->metric]);
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
	answer->summary = sentence(pool, in, rows);
	answer->card = card_json(pool, in, heading, answer->query);
	answer->result = result_json(pool, in, rows, took_us);
	answer->visualization = visualization_json(pool, in, heading);
	answer->truncated = rows->more;
}

/* ---- no answer ---- */

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
	struct intent in = { .metric = METRIC_NONE, .from_us = answer->created_us, .to_us = answer->created_us };
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
	answer->columns = answer->rows = PL_STR("[]");
	answer->summary = why;
	answer->card = card_json(pool, &in, heading, answer->query);
	answer->result = result_json(pool, &in, &none, 0);
	answer->visualization = visualization_json(pool, &in, heading);
}

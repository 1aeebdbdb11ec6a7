/* SPDX-License-Identifier: ISC */
/* The vocabulary of questions as JSON, from the tables of the grammar. */
#include "json.h"
#include "svc/usage/intent.h"
#include "svc/usage/query.h"

static struct pl_buf *new_buf(struct pl_pool *pool)
{
	struct pl_buf *buf = pl_alloc(pool, sizeof(*buf));

	*buf = PL_BUF(pool);
	return buf;
}

/* {name, unit, words}; unit NULL: left out */
static void write_entry(struct pl_jw *w, const char *name, const char *unit, struct pl_str words)
{
	struct pl_str word;

	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	if (unit != NULL)
		pl_jw_kcstr(w, "unit", unit);
	pl_jw_key(w, "words");
	pl_jw_array(w);
	while (pl_str_cut(&words, ' ', &word))
		pl_jw_str(w, word);
	pl_jw_end_array(w);
	pl_jw_end_object(w);
}

static struct pl_str list_json(struct pl_pool *pool, const char *const *list, int from, int count)
{
	struct pl_buf *buf = new_buf(pool);
	struct pl_jw w = PL_JW(buf);

	pl_jw_array(&w);
	for (int i = from; (count < 0 || i < count) && list[i] != NULL; i++)
		pl_jw_cstr(&w, list[i]);
	pl_jw_end_array(&w);
	return pl_buf_str(buf);
}

void query_vocabulary(struct pl_pool *pool, struct query_vocabulary *out)
{
	struct pl_buf *metrics = new_buf(pool), *dims = new_buf(pool);
	struct pl_jw w = PL_JW(metrics);

	pl_jw_array(&w);
	for (enum intent_metric metric = METRIC_MESSAGES; metric < METRIC_COUNT; metric++)
		write_entry(&w, intent_metrics[metric], intent_units[metric], pl_str(intent_metric_words(metric)));
	pl_jw_end_array(&w);
	w = PL_JW(dims);
	pl_jw_array(&w);
	for (enum intent_dim dim = DIM_HOUR; dim <= DIM_ROLE; dim++)
		write_entry(&w, intent_dims[dim], NULL, pl_str(intent_dim_words(dim)));
	pl_jw_end_array(&w);
	*out = (struct query_vocabulary){ .metrics = pl_buf_str(metrics), .dimensions = pl_buf_str(dims),
		.aggregates = list_json(pool, intent_aggs, AGG_SUM, AGG_COUNT),
		.thresholds = list_json(pool, intent_limits, LIMIT_OVER, LIMIT_COUNT),
		.periods = list_json(pool, intent_periods, 0, -1), .samples = list_json(pool, intent_samples, 0, -1) };
}

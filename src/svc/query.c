/* SPDX-License-Identifier: ISC */
/*
 *   query_ask -> intent_read -> query_run -> compose -> query_note -> done
 */
#include "svc/query.h"

#include "clock.h"
#include "db/repo_query.h"
#include "db/repo_user.h"
#include "json.h"
#include "leaf.h"
#include "svc/intent.h"

struct asking {
	struct svc *svc;
	struct pl_task *task;
	struct intent intent;
	struct query_answer answer;
	int64_t keep_us;
	char id[PL_UUID_LEN + 1];
	query_fn *done;
	void *arg;
};

static struct pl_buf *new_buf(struct asking *a)
{
	struct pl_buf *buf = pl_alloc(a->task->pool, sizeof(*buf));

	*buf = PL_BUF(a->task->pool);
	return buf;
}

static struct pl_str intent_json(struct asking *a)
{
	const struct intent *in = &a->intent;
	struct pl_buf *buf = new_buf(a);
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "metric", intent_metrics[in->metric]);
	pl_jw_key(&w, "dimensions");
	pl_jw_array(&w);
	if (in->dim != DIM_NONE)
		pl_jw_cstr(&w, intent_dims[in->dim]);
	pl_jw_end_array(&w);
	pl_jw_key(&w, "filters");
	pl_jw_object(&w);
	if (in->mine)
		pl_jw_kbool(&w, "mine", true);
	if (in->user.ptr != NULL)
		pl_jw_kstr(&w, "user", in->user);
	if (in->room.ptr != NULL)
		pl_jw_kstr(&w, "room", in->room);
	if (in->model.ptr != NULL)
		pl_jw_kstr(&w, "model", in->model);
	pl_jw_end_object(&w);
	pl_jw_key(&w, "period");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "text", in->period);
	pl_jw_ktime(&w, "from", in->from_us);
	pl_jw_ktime(&w, "to", in->to_us);
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

static bool over_time(const struct intent *in)
{
	return in->dim == DIM_DAY || in->dim == DIM_WEEK || in->dim == DIM_MONTH;
}

static void write_column(struct pl_jw *w, const char *name, const char *type, const char *unit)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	pl_jw_kcstr(w, "type", type);
	pl_jw_kcstr(w, "unit", unit);
	pl_jw_end_object(w);
}

static void compose_table(struct asking *a, const struct query_rows *rows)
{
	const struct intent *in = &a->intent;
	struct pl_buf *columns = new_buf(a), *values = new_buf(a);
	struct pl_jw w = PL_JW(columns);

	pl_jw_array(&w);
	if (in->dim != DIM_NONE)
		write_column(&w, intent_dims[in->dim], over_time(in) ? "date" : "text", NULL);
	write_column(&w, intent_metrics[in->metric], "number", intent_units[in->metric]);
	pl_jw_end_array(&w);
	w = PL_JW(values);
	pl_jw_array(&w);
	for (int i = 0; i < rows->count; i++) {
		pl_jw_array(&w);
		if (in->dim != DIM_NONE)
			pl_jw_str(&w, rows->rows[i].key);
		pl_jw_f64(&w, rows->rows[i].value);
		pl_jw_end_array(&w);
	}
	pl_jw_end_array(&w);
	a->answer.columns = pl_buf_str(columns);
	a->answer.rows = pl_buf_str(values);
}

static void compose_words(struct asking *a, const struct query_rows *rows)
{
	const struct intent *in = &a->intent;
	const char *unit = intent_units[in->metric];
	struct pl_buf *text = new_buf(a), *card = new_buf(a);
	const struct query_row *top = rows->rows;
	struct pl_jw w = PL_JW(card);

	for (int i = 1; i < rows->count; i++)
		top = rows->rows[i].value > top->value ? &rows->rows[i] : top;
	if (in->dim == DIM_NONE)
		pl_buf_addf(text, "%.10g %s, %s.", rows->rows[0].value, unit, in->period);
	else if (rows->count == 0)
		pl_buf_addf(text, "No %s, %s.", unit, in->period);
	else
		pl_buf_addf(text, "The most %s per %s, %s: %.10g (%.*s)%s.", unit, intent_dims[in->dim], in->period, top->value,
		    PL_FMT(top->key.ptr != NULL ? top->key : PL_STR("unknown")), rows->more ? "; there are more rows than are shown" : "");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", in->dim == DIM_NONE ? "number" : over_time(in) ? "line" : "bar");
	pl_jw_kcstr(&w, "title", pl_sprintf(a->task->pool, "%s%s%s, %s", intent_metrics[in->metric], in->dim != DIM_NONE ? " per " : "",
	    intent_dims[in->dim], in->period));
	pl_jw_kstr(&w, "query", a->answer.query);
	pl_jw_end_object(&w);
	a->answer.summary = pl_buf_str(text);
	a->answer.card = pl_buf_str(card);
}

static void on_noted(void *arg, const bool *done, const struct pl_err *err)
{
	struct asking *a = arg;

	a->done(a->arg, err == NULL ? &a->answer : NULL, err);
}

static void on_rows(void *arg, const struct query_rows *rows, const struct pl_err *err)
{
	static const struct query_row nothing = { .value = 0 };
	struct asking *a = arg;
	struct query_rows sum = { .rows = &nothing, .count = 1 };
	struct query_past past;

	if (err != NULL) {
		a->done(a->arg, NULL, err);
		return;
	}
	if (a->intent.dim == DIM_NONE && rows->count == 0)
		rows = &sum;
	compose_table(a, rows);
	compose_words(a, rows);
	past = (struct query_past){ .id = a->answer.id, .query = a->answer.query, .intent = a->answer.intent, .rows = rows->count,
		.expires_us = a->answer.created_us + a->keep_us };
	repo_query_note(a->svc->db, a->task, a->task->who.user_id, &past, on_noted, a);
}

void query_ask(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str text, query_fn *done, void *arg)
{
	struct asking *a = pl_alloc(task->pool, sizeof(*a));
	const struct intent *in = &a->intent;
	struct query_ask ask;
	struct pl_err err = { 0 };

	*a = (struct asking){ .svc = svc, .task = task, .keep_us = config->s.query_history * 1000, .done = done, .arg = arg };
	a->answer.created_us = pl_wall_us();
	if (!intent_read(task->pool, text, a->answer.created_us, &a->intent, &err)) {
		done(arg, NULL, &err);
		return;
	}
	if (task->once != NULL)
		memcpy(a->id, task->once->id, sizeof(a->id));	/* asked again, it is the same row of the history */
	else
		pl_uuid_make(a->id);
	a->answer.id = pl_strn(a->id, PL_UUID_LEN);
	a->answer.query = text;
	a->answer.intent = intent_json(a);
	ask = (struct query_ask){ .metric = intent_metrics[in->metric], .dim = intent_dims[in->dim], .from_us = in->from_us,
		.to_us = in->to_us, .scope = in->mine || task->who.access < ACCESS_ANALYST ? task->who.user_id : 0,
		.user = in->user, .room = in->room, .model = in->model };
	repo_query_run(svc->db, task, &ask, QUERY_ROWS_MAX, on_rows, a);
}

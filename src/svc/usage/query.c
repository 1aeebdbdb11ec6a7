/* SPDX-License-Identifier: ISC */
/*
 *   query_ask -> zone -> intent_read -> frame -> intent_settle -> run -> compose -> note -> done
 *                                   \ refused                  \ unknown name -> note -> done
 *                                    \___________________________\ or, once: query_translate -> intent_take -> frame
 *
 * Questions without a token are not recorded.
 */
#include <event2/event.h>

#include "svc/usage/query.h"

#include <string.h>

#include "clock.h"
#include "db/repo/repo_query.h"
#include "db/repo/repo_user.h"
#include "leaf.h"
#include "svc/usage/query_answer.h"

#define FIGURES_S 10	/* for the database, after a translation */
#define AHEAD_S (14 * 3600)	/* the time zones of the earliest and the latest clock */
#define BEHIND_S (-12 * 3600)

struct asking {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct intent intent;
	struct query_answer answer;
	struct pl_err refused;		/* why it was not understood or requires a token */
	int64_t keep_us;
	int64_t scope;			/* scope of repo_query_run() */
	struct pl_str zone;		/* as a parameter for the database */
	struct query_zone told;		/* as text for people, and its offset */
	bool translated;		/* a model translated it, now or earlier */
	bool kept;			/* earlier: the translation was cached */
	bool querying;			/* enter_querying() was done */
	char id[PL_UUID_LEN + 1];
	query_stage_fn *stage;
	query_fn *done;
	void *arg;
};

const char *const query_stages[] = { "understanding", "querying", "answering" };

static void enter(struct asking *a, enum query_stage stage)
{
	if (a->stage != NULL)
		a->stage(a->arg, stage);
}

/* Runs once: a translation begins after the first attempt. */
static void enter_querying(struct asking *a)
{
	if (!a->querying)
		enter(a, QUERY_QUERYING);
	a->querying = true;
}

static void finish(struct asking *a, const struct pl_err *err)
{
	shm_count(a->svc->shm, err == NULL ? SHM_M_queries_answered :
	    err == &a->refused ? SHM_M_queries_not_understood : SHM_M_queries_failed, 1);
	a->done(a->arg, err == NULL || err == &a->refused ? &a->answer : NULL, err);
}

static void on_noted(void *arg, const bool *done, const struct pl_err *err)
{
	finish(arg, err);
}

/* A refused question is reported as refused, even if recording it failed. */
static void on_refusal_noted(void *arg, const bool *done, const struct pl_err *err)
{
	struct asking *a = arg;

	finish(a, &a->refused);
}

static void note(struct asking *a, int rows, db_done_fn *done)
{
	struct query_past past = { .id = a->answer.id, .query = a->answer.query, .intent = a->answer.intent,
		.rows = rows, .expires_us = a->answer.created_us + a->keep_us };

	repo_query_note(a->svc->db, a->task, a->task->who.user_id, &past, done, a);
}

/* No query of the database was required. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct asking *a = arg;
	struct pl_task *task = a->task;

	finish(a, &a->refused);
	pl_task_release(&task);
}

static void refuse(struct asking *a)
{
	static const struct timeval now = { 0 };

	if (a->task->who.user_id != 0) {
		note(a, 0, on_refusal_noted);
		return;
	}
	pl_task_hold(a->task);
	PL_BUG(event_base_once(a->svc->worker->base, -1, EV_TIMEOUT, on_turn, a, &now) != 0);
}

/* Refuses questions without a token about things that require one. */
static bool lets_in(struct asking *a)
{
	if (a->task->who.user_id != 0 || intent_private(&a->intent) == NULL)
		return true;
	pl_err_set(&a->refused, PL_E_UNAUTHORIZED, "%s", intent_private(&a->intent));
	return false;
}

static void on_rows(void *arg, const struct query_rows *rows, const struct pl_err *err)
{
	static const struct query_row nothing = { .value = 0 };
	struct query_rows sum = { .rows = &nothing, .count = 1 };
	bool adds_up;
	struct asking *a = arg;

	if (err != NULL) {
		finish(a, err);
		return;
	}
	enter(a, QUERY_ANSWERING);
	/* a sum of no rows is 0, but an average or a rate is undefined */
	adds_up = a->intent.unit == DIM_NONE && a->intent.metric != METRIC_ERROR_RATE &&
	    a->intent.metric != METRIC_ACCEPTANCE;
	if (a->intent.dim_count == 0 && rows->count == 0 && adds_up)
		rows = &sum;
	query_compose(a->task->pool, &a->intent, rows, pl_wall_us() - a->answer.created_us, &a->answer);
	if (a->task->who.user_id != 0)
		note(a, rows->count, on_noted);
	else
		finish(a, NULL);
}

static struct query_names names_of(const struct asking *a, enum intent_kind kind)
{
	return (struct query_names){ .list = a->intent.names[kind], .count = a->intent.name_count[kind] };
}

/* A share refers to everything: names select the rows that are shown, not the rows that are added up. */
static void show_only(struct query_ask *ask, const struct intent *in)
{
	static const enum intent_dim dims[KIND_COUNT] = { DIM_NONE, DIM_USER, DIM_ROOM, DIM_MODEL, DIM_ROLE };
	struct query_names *const names[KIND_COUNT] = { NULL, &ask->users, &ask->rooms, &ask->models, &ask->roles };

	for (int kind = KIND_USER; kind < KIND_COUNT && in->agg == AGG_SHARE && in->dim_count > 0; kind++) {
		if (in->dims[0] != dims[kind])
			continue;
		ask->only = *names[kind];
		*names[kind] = (struct query_names){ .count = 0 };
	}
}

static void run(struct asking *a)
{
	const struct intent *in = &a->intent;
	struct query_ask ask = { .metric = intent_metrics[in->metric], .agg = intent_aggs[in->agg],
	    .unit = intent_dims[in->unit],
		.limit = intent_limits[in->limit], .bound = in->bound, .zone = a->zone, .dim_count = in->dim_count,
		.order = intent_orders[in->order], .top = in->top, .each = in->each, .from_us = in->period.from_us,
		.to_us = in->period.to_us, .scope = in->mine ? a->task->who.user_id : a->scope, .users = names_of(a,
		    KIND_USER),
		.rooms = names_of(a, KIND_ROOM), .models = names_of(a, KIND_MODEL), .roles = names_of(a, KIND_ROLE) };

	_Static_assert(QUERY_KEYS == INTENT_DIMS_MAX, "a key for each dimension");
	for (int i = 0; i < in->dim_count; i++)
		ask.dims[i] = pl_str(intent_dims[in->dims[i]]);
	if (in->compares) {
		ask.earlier_from_us = in->before.from_us;
		ask.earlier_to_us = in->before.to_us;
	}
	show_only(&ask, in);
	repo_query_run(a->svc->db, a->task, &ask, QUERY_ROWS_MAX, on_rows, a);
}

/* 0 means "no time" in statements. */
static void place(struct intent_period *period, int64_t from_us, int64_t to_us)
{
	if (!period->from_exact)
		period->from_us = from_us != 0 ? from_us : 1;
	if (!period->to_exact)
		period->to_us = to_us != 0 ? to_us : 1;
}

static void find_names(struct asking *a);

/* The question is refused for the reason that it had without the model. */
static void refuse_translation(struct asking *a, const char *why)
{
	const char *before = a->refused.fields->msg;
	struct pl_err both = { 0 };

	(void)!pl_err_field(&both, a->task->pool, "body.query", "value_error",
	    "%s A model was asked to translate the question, but %s.", before, why);
	a->refused = both;
	refuse(a);
}

static void translate(struct asking *a);

static void on_translated(void *arg, struct pl_str text, const char *why, const struct pl_err *err)
{
	struct asking *a = arg;

	if (err != NULL) {
		finish(a, err);
		return;
	}
	a->task->deadline_ns = pl_now_ns() + FIGURES_S * PL_NS_PER_S;	/* the model had a separate time limit */
	if (why == NULL)
		why = intent_take(a->task->pool, a->answer.query,
		    text, (struct intent_now){ a->answer.created_us, a->told.local_s }, &a->intent);
	if (why != NULL && a->kept) {
		translate(a);		/* the cached translation no longer fits, so the model is asked again */
		return;
	}
	if (why != NULL) {
		refuse_translation(a, why);
		return;
	}
	if (!a->kept)
		query_translation_keep(a->svc, a->config, a->task->pool, a->answer.query, text);
	enter_querying(a);
	find_names(a);
}

/* May a model translate the question that the grammar refused? */
static bool may_translate(const struct asking *a)
{
	return !a->translated && query_translates(a->svc, a->config, a->task) &&
	    intent_translatable(a->task->pool, a->answer.query);
}

static void translate(struct asking *a)
{
	struct pl_str text = a->translated ? PL_STR_NONE :
	    query_translation_kept(a->svc, a->config, a->task->pool, a->answer.query);
	struct pl_err gone = { 0 };

	a->translated = true;
	a->kept = text.ptr != NULL;
	if (a->task->cancelled) {
		pl_err_set(&gone, PL_E_CANCELLED, NULL);
		finish(a, &gone);
	} else if (a->kept) {
		on_translated(a, text, NULL, NULL);
	} else {
		query_translate(a->svc, a->config, a->task, a->answer.query, on_translated, a);
	}
}

static void on_frame(void *arg, const struct query_frame *frame, const struct pl_err *err)
{
	struct asking *a = arg;
	struct pl_err err_names = { 0 };
	struct intent_known *known;
	int count = 0;

	if (err != NULL) {
		finish(a, err);
		return;
	}
	place(&a->intent.period, frame->us[0], frame->us[1]);
	place(&a->intent.before, frame->us[2], frame->us[3]);
	known = pl_alloc(a->task->pool, ((size_t)frame->count + 1) * sizeof(*known));
	for (int i = 0; i < frame->count; i++)
		if (frame->rows[i].asked.ptr != NULL)
			known[count++] = (struct intent_known){ .asked = pl_str_dup(a->task->pool,
			    frame->rows[i].asked),
				.name = pl_str_dup(a->task->pool, frame->rows[i].name),
				    .kind = (enum intent_kind)frame->rows[i].kind };
	if (!intent_settle(a->task->pool, &a->intent, known, count, &err_names)) {
		if (a->intent.translated) {
			refuse_translation(a, err_names.fields->msg);
			return;
		}
		a->refused = err_names;
		if (a->intent.strange && may_translate(a))
			translate(a);
		else
			refuse(a);
		return;
	}
	if (!lets_in(a)) {
		refuse(a);
		return;
	}
	a->answer.intent = query_intent_json(a->task->pool, &a->intent);
	run(a);
}

static void find_names(struct asking *a)
{
	struct intent *in = &a->intent;
	const struct pl_str *names;
	int count;

	in->zone = pl_str_c(a->task->pool, a->told.shown);
	in->own = a->scope > 0;
	names = intent_name_candidates(a->task->pool, in, &count);
	repo_query_frame(a->svc->db, a->task, a->zone, (const int64_t[QUERY_TIMES]){ in->period.from_s, in->period.to_s,
	    in->before.from_s, in->before.to_s }, a->scope, names, count, on_frame, a);
}

static void on_zone(void *arg, const struct query_zone *zone, const struct pl_err *err)
{
	struct asking *a = arg;

	if (err != NULL) {
		finish(a, err);
		return;
	}
	a->refused = (struct pl_err){ 0 };	/* another time zone is tried */
	if (!zone->asked_ok) {
		(void)!pl_err_field(&a->refused, a->task->pool, "header.X-Timezone", "value_error",
		    "must be the name of a time zone, such as Europe/Berlin, or an offset, such as +05:30");
		refuse(a);
		return;
	}
	a->zone = pl_str_dup(a->task->pool, zone->zone);
	a->told = (struct query_zone){ .shown = pl_str_dup(a->task->pool, zone->shown), .local_s = zone->local_s };
	if (intent_read(a->task->pool, a->answer.query, (struct intent_now){ a->answer.created_us, zone->local_s },
	    &a->intent, &a->refused)) {
		enter_querying(a);
		find_names(a);
	} else if (may_translate(a)) {
		translate(a);
	} else {
		refuse(a);
	}
}

/* Removes the number that some front ends append to distinguish repeated questions. */
static struct pl_str without_number(struct pl_str text)
{
	size_t end = text.len, at;

	if (end < 3 || text.ptr[end - 1] != ']')
		return text;
	for (at = end - 1; at > 0 && text.ptr[at - 1] >= '0' && text.ptr[at - 1] <= '9';)
		at--;
	if (at == end - 1 || at < 2 || text.ptr[at - 1] != '[' || text.ptr[at - 2] != ' ')
		return text;
	return pl_str_trim(pl_strn(text.ptr, at - 2));
}

/* Is it understood in a time zone with this offset from UTC? */
static bool reads(struct asking *a, int64_t offset_s)
{
	a->refused = (struct pl_err){ 0 };
	return intent_read(a->task->pool, a->answer.query, (struct intent_now){ a->answer.created_us,
	    a->answer.created_us / PL_US_PER_S + offset_s }, &a->intent, &a->refused);
}

void query_ask(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str text,
    struct pl_str zone,
    query_stage_fn *stage, query_fn *done, void *arg)
{
	struct asking *a = pl_alloc(task->pool, sizeof(*a));
	bool read;

	*a = (struct asking){ .svc = svc, .config = config_keep(task->pool, config), .task = task,
		.keep_us = config->s.query_history * 1000, .stage = stage, .done = done, .arg = arg,
		.scope = task->who.access < ACCESS_ANALYST ? task->who.user_id : QUERY_EVERYBODY };
	if (task->once != NULL)
		memcpy(a->id, task->once->id, sizeof(a->id));	/* a repeated request uses the same row of the
								 * history */
	else
		pl_uuid_make(a->id);
	a->answer.id = pl_strn(a->id, PL_UUID_LEN);
	a->answer.query = without_number(text);
	a->answer.created_us = pl_wall_us();
	enter(a, QUERY_UNDERSTANDING);
	/* a question that is not understood in the earliest and the latest time zone is not understood in any */
	read = reads(a, BEHIND_S) || reads(a, AHEAD_S);
	if (read ? !lets_in(a) : !may_translate(a)) {
		refuse(a);
		return;
	}
	if (read)
		enter_querying(a);
	repo_query_zone(svc->db, task, task->who.user_id, zone.len > 0 ? zone : PL_STR_NONE, pl_str(config->s.timezone),
	    a->answer.created_us, on_zone, a);
}

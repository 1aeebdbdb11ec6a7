/* SPDX-License-Identifier: ISC */
/* Checks the names of a question against existing ones; and writes the question as it was understood. */
#include <stdio.h>

#include "svc/usage/intent_int.h"

#define ALL_RUNS (INTENT_RUNS_MAX * INTENT_RUN_WORDS * (INTENT_RUN_WORDS + 1) / 2)

/* Returns words i to j of the run as in the question. */
static struct pl_str slice(const struct intent_run *run, int i, int j)
{
	return pl_strn(run->words[i].ptr, (size_t)(run->words[j].ptr + run->words[j].len - run->words[i].ptr));
}

const struct pl_str *intent_name_candidates(struct pl_pool *pool, const struct intent *in, int *count_r)
{
	struct pl_str *list = pl_alloc(pool, ALL_RUNS * sizeof(*list));

	*count_r = 0;
	for (int k = 0; k < in->run_count; k++) {
		const struct intent_run *run = &in->runs[k];

		for (int i = 0; i < run->count; i++)
			for (int j = i; j < run->count; j++)
				list[(*count_r)++] = slice(run, i, j);
	}
	return list;
}

struct match { const struct intent_known *found; bool kinds, several; };	/* kinds: the name is of more than
										 * one kind */

/*
 * Finds the meanings of the name among the kinds that the question allows. A username or a developer takes precedence
 * over accounts with that full name. Several accounts may have the same full name.
 */
static struct match match(struct pl_str text, enum intent_kind kind, enum intent_kind hint,
    const struct intent_known *known, int count)
{
	const struct intent_known *found[KIND_COUNT] = { NULL };
	bool several[KIND_COUNT] = { false };
	struct match out = { .found = NULL };

	for (int i = 0; i < count; i++) {
		enum intent_kind k = known[i].kind;

		if (!pl_str_eq(known[i].asked, text) || (kind != KIND_ANY && k != kind))
			continue;
		if (found[k] != NULL && pl_str_ieq(found[k]->name, text))
			continue;
		several[k] = found[k] != NULL && !pl_str_ieq(known[i].name, text);
		found[k] = &known[i];
	}
	for (int k = KIND_USER; k < KIND_COUNT; k++) {
		if (found[k] == NULL || (hint != KIND_ANY && found[hint] != NULL && k != (int)hint))
			continue;
		out.kinds = out.found != NULL;
		out.several = several[k];
		out.found = found[k];
	}
	return out;
}

static bool add_name(struct intent *in, const struct intent_known *known)
{
	int *count = &in->name_count[known->kind];

	for (int i = 0; i < *count; i++)
		if (pl_str_eq(in->names[known->kind][i], known->name))
			return true;
	if (*count == INTENT_NAMES_MAX)
		return false;
	in->names[known->kind][(*count)++] = known->name;
	return true;
}

static bool settle_run(struct pl_pool *pool, struct intent *in, const struct intent_run *run,
    const struct intent_known *known, int count, struct pl_err *err)
{
	for (int i = 0; i < run->count;) {
		struct match m = { .found = NULL };
		int j = run->count;

		if (i > 0 && word_among(run->words[i], "room channel model role"))
			break;			/* "tea room": the room Tea */
		while (m.found == NULL && --j >= i)
			m = match(slice(run, i, j), run->kind, run->hint, known, count);
		in->strange = m.found == NULL && run->kind == KIND_ANY && !run->quoted;
		if (m.found == NULL)
			return pl_err_field(err, pool, "body.query", "value_error",
			    "Not answered: there is no %s \"%.*s\" in the data that you can see%s. %s",
			    run->kind != KIND_ANY ? intent_kinds[run->kind] : "user, room, model, or role",
			    PL_FMT(slice(run, i, run->count - 1)), run->kind == KIND_ANY && !run->quoted ?
			    ", and no other meaning is known" : "", INTENT_CAN_ASK);
		if (m.kinds)
			return pl_err_field(err, pool, "body.query", "value_error",
			    "Not answered: \"%.*s\" is the name of more than one thing: write user, room, model, or "
			    "role before it.",
			    PL_FMT(slice(run, i, j)));
		if (m.several)
			return pl_err_field(err, pool, "body.query", "value_error",
			    "Not answered: \"%.*s\" is the full name of more than one user: write the username.",
			    PL_FMT(slice(run, i, j)));
		if (!add_name(in, m.found))
			return pl_err_field(err, pool, "body.query", "value_error",
			    "Not answered: there are too many names.");
		i = j + 1;
	}
	return true;
}

/* Several users are shown separately, and a share needs a whole to compare with. */
static void add_dims_of_names(struct intent *in)
{
	static const enum intent_dim dims[KIND_COUNT] = { DIM_NONE, DIM_USER, DIM_ROOM, DIM_MODEL, DIM_ROLE };

	for (int kind = KIND_USER; kind < KIND_COUNT; kind++) {
		bool wanted = in->name_count[kind] > 1 || (in->agg == AGG_SHARE && in->name_count[kind] > 0 &&
		    in->dim_count == 0);

		if (!wanted || intent_has_dim(in, dims[kind]) || in->dim_count == INTENT_DIMS_MAX ||
		    (kind == KIND_USER && in->metric == METRIC_USERS) || (kind == KIND_ROOM &&
		    in->metric == METRIC_ROOMS))
			continue;
		in->dims[in->dim_count++] = dims[kind];
	}
}

/* Users who see only their own rows have a share of 100 %. */
static bool shares_with_nobody(const struct intent *in)
{
	return in->own && in->agg == AGG_SHARE && intent_has_dim(in, DIM_USER);
}

/* A translation that leaves out a name of the question would give figures that include too much. */
static bool settle_mention(struct pl_pool *pool, const struct intent_run *run, const struct intent_known *known,
    int count, struct pl_err *err)
{
	for (int i = 0; i < run->count; i++)
		for (int j = i; j < run->count; j++)
			if (match(slice(run, i, j), KIND_ANY, KIND_ANY, known, count).found != NULL)
				return pl_err_field(err, pool, "body.query", "value_error",
				    "its translation leaves out \"%.*s\"", PL_FMT(slice(run, i, j)));
	return true;
}

bool intent_settle(struct pl_pool *pool, struct intent *in, const struct intent_known *known, int count,
    struct pl_err *err)
{
	const char *why;

	for (int i = 0; i < in->run_count; i++)
		if (!(in->runs[i].mention ? settle_mention(pool, &in->runs[i], known, count, err) :
		    settle_run(pool, in, &in->runs[i], known, count, err)))
			return false;
	add_dims_of_names(in);
	why = shares_with_nobody(in) ? "you see only your own data, of which your share is all of it" :
	    intent_misfit(in);
	if (why == NULL && in->versus && !in->compares) {
		why = "two periods or two names of one kind are compared";
		for (int kind = KIND_USER; kind < KIND_COUNT; kind++)
			why = in->name_count[kind] > 1 ? NULL : why;
	}
	return why == NULL || pl_err_field(err, pool, "body.query", "value_error", "Not answered: %s. %s", why,
	    INTENT_CAN_ASK);
}

const char *intent_private(const struct intent *in)
{
	bool named = false;

	for (int kind = KIND_USER; kind < KIND_COUNT; kind++)
		named = named || (kind != KIND_MODEL && in->name_count[kind] > 0);
	for (int i = 0; i < in->run_count; i++)
		named = named || (in->runs[i].kind != KIND_ANY && in->runs[i].kind != KIND_MODEL);
	for (enum intent_dim dim = DIM_USER; dim <= DIM_ROLE; dim++)
		named = named || (dim != DIM_MODEL && (intent_has_dim(in, dim) || in->unit == dim));
	return in->mine ? "Questions about \"my\" data require a token." :
	    named ? "Questions by user, room, or role require a token." : NULL;
}

/* ---- the question in words ---- */

static void add_period(struct pl_buf *text, const struct intent_period *p, bool clock, const char *zone)
{
	struct civil from = civil_of(p->from_s), to = civil_of(p->to_s - 1);

	pl_buf_addf(text, "%s", p->text);
	if (p->from_s == 0)
		pl_buf_addf(text, " (to %04d-%02d-%02d", (int)to.year, to.month, to.day);
	else if (clock)
		pl_buf_addf(text, " (%04d-%02d-%02d %02d:%02d to %04d-%02d-%02d %02d:%02d", (int)from.year, from.month,
		    from.day,
		    (int)(p->from_s / 3600 % 24), (int)(p->from_s / 60 % 60), (int)to.year, to.month, to.day,
		    (int)((p->to_s - 1) / 3600 % 24), (int)((p->to_s - 1) / 60 % 60));
	else if (p->to_s - p->from_s <= DAY_S)
		pl_buf_addf(text, " (%04d-%02d-%02d", (int)from.year, from.month, from.day);
	else
		pl_buf_addf(text, " (%04d-%02d-%02d to %04d-%02d-%02d", (int)from.year, from.month, from.day,
		    (int)to.year,
		    to.month, to.day);
	pl_buf_addf(text, "%s%s%s)", zone[0] != '\0' ? ", " : "", zone, p->open ? ", not over yet" : "");
}

const char *intent_understood(struct pl_pool *pool, const struct intent *in)
{
	static const char *const heads[KIND_COUNT] = { "", " of user ", " in room ", " with model ", " with role " };
	static const char *const bounds[LIMIT_COUNT] = { "", "over", "under", "at least", "at most", "exactly" };
	const char *zone = in->zone != NULL ? in->zone : "";
	struct pl_buf text = PL_BUF(pool);

	if (in->agg != AGG_SUM && (in->agg == AGG_SHARE || in->unit != DIM_NONE))
		pl_buf_addf(&text, "%s %s", in->agg == AGG_SHARE ? "Share of" : in->agg == AGG_MEDIAN ? "Median" :
		    "Average",
		    in->metric == METRIC_USERS ? "active users" : in->metric == METRIC_ROOMS ? "active rooms" :
		    intent_metrics[in->metric]);
	else
		pl_buf_adds(&text, intent_metric_texts[in->metric]);
	if (in->unit != DIM_NONE)
		pl_buf_addf(&text, " per %s", intent_dim_texts[in->unit]);
	for (int i = 0; i < in->dim_count; i++)
		pl_buf_addf(&text, "%s%s", i > 0 ? " and " : in->unit != DIM_NONE ? ", by " : " per ",
		    intent_dim_texts[in->dims[i]]);
	if (in->mine || in->own)
		pl_buf_adds(&text, ", yours");
	for (int kind = KIND_USER; kind < KIND_COUNT; kind++)
		for (int i = 0; i < in->name_count[kind]; i++)
			pl_buf_addf(&text, "%s\"%.*s\"", i == 0 ? heads[kind] : i + 1 < in->name_count[kind] ? ", " :
			    " and ",
			    PL_FMT(in->names[kind][i]));
	if (in->limit != LIMIT_NONE)
		pl_buf_addf(&text, ", %s %.10g%s", bounds[in->limit], in->bound,
		    intent_limit_skips(in) ? " (those with none are left out)" : "");
	if (in->top != 0)
		pl_buf_addf(&text, ", %s %d", in->order == ORDER_LEAST ? "lowest" : "top", in->top);
	else if (in->order != ORDER_NONE)
		pl_buf_addf(&text, ", %s first", in->order == ORDER_LEAST ? "lowest" : "highest");
	pl_buf_adds(&text, ", ");
	add_period(&text, &in->period, in->period.from_exact, zone);
	if (in->compares) {
		pl_buf_adds(&text, ", compared with ");
		add_period(&text, &in->before, in->before.from_exact || in->before.from_s % DAY_S != 0, "");
	}
	if (in->translated)
		pl_buf_adds(&text, ", translated by a model");
	return text.ptr;
}

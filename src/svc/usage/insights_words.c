/* SPDX-License-Identifier: ISC */
/* Findings and recommendations as sentences. Each names the figures that it is based on. */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "svc/usage/insights.h"

#define PAIRS_TOLD 5
#define OUTLIERS_TOLD 5
#define SENTENCES_MAX (KPI_OURS * 2 + PAIRS_TOLD + OUTLIERS_TOLD + 4)

/* Advice for a figure that is not good. */
static const char *const advice[KPI_OURS] = {
	[KPI_VELOCITY] = "find out who does not use the models, and why",
	[KPI_ACCEPTANCE] = "compare models and prompts by their acceptance (filters model and developer_id)",
	[KPI_ERRORS] = "look at the upstream with the most failures (view v_usage)",
	[KPI_EFFICIENCY] = "shorten what is sent along as context, or use a model that needs fewer tokens",
	[KPI_COST_SESSION] = "use a cheaper model for simple tasks",
	[KPI_COST_ACCEPTED] = "increase the acceptance or use a cheaper model: rejected answers cost money, too",
	[KPI_MINUTES] = "check whether long sessions repeat themselves, and split the tasks",
	[KPI_SCORE] = "read the comments that came with low scores",
};

static struct pl_str unit_after(const struct usage_kpi_info *info)
{
	if (info->unit[0] == '%')
		return PL_STR(" %");
	if (pl_str_is(pl_str(info->unit), "USD") || pl_str_is(pl_str(info->unit), "minutes") ||
	    pl_str_is(pl_str(info->unit), "of 5"))
		return pl_str(info->unit);
	return PL_STR("");
}

/* "acceptance 32.5 %" */
static const char *figure(struct pl_pool *pool, enum usage_kpi kpi, double value)
{
	const struct usage_kpi_info *info = &usage_kpi_infos[kpi];
	struct pl_str unit = unit_after(info);

	return pl_sprintf(pool, "%.4g%s%.*s", value, unit.len > 0 && unit.ptr[0] != ' ' ? " " : "", PL_FMT(unit));
}

static void find(struct insights *in, const char *text)
{
	if (in->findings_count < SENTENCES_MAX)
		in->findings[in->findings_count++] = pl_str(text);
}

static void date_of(int64_t day, char out[11])
{
	char text[PL_TIME_LEN];

	pl_time_format(day * 86400 * PL_US_PER_S, text);
	snprintf(out, 11, "%.10s", text);
}

static void tell_pairs(struct insights *in, struct pl_pool *pool)
{
	int told = 0;

	for (int i = 0; i < in->pairs_count && told < PAIRS_TOLD; i++) {
		const struct insights_pair *p = &in->pairs[i];

		if (!p->significant)
			continue;
		told++;
		find(in, pl_sprintf(pool,
		    "More %.*s goes with %s %.*s %s (r = %.2f, p = %.2g, %d days; both may have another cause).",
		    PL_FMT(p->one), p->r > 0 ? "more" : "less", PL_FMT(p->two),
		    p->lag == 0 ? "on the same day" : pl_sprintf(pool, "%d day%s later", p->lag,
		    p->lag == 1 ? "" : "s"), p->r, p->p, p->n));
	}
}

static void tell_outliers(struct insights *in, struct pl_pool *pool)
{
	char day[11];

	for (int i = 0; i < in->outliers_count && i < OUTLIERS_TOLD; i++) {
		const struct insights_outlier *o = &in->outliers[i];

		date_of(o->day, day);
		find(in, pl_sprintf(pool, "%.*s was %.6g on %s; half of all days are between %.6g and %.6g.",
		    PL_FMT(o->metric), o->value, day, o->median - o->mad, o->median + o->mad));
	}
}

static void advise(struct insights *in, struct pl_pool *pool, const struct usage_kpis *kpis)
{
	int judged = 0;

	for (int i = 0; i < KPI_OURS; i++) {
		const struct usage_kpi_info *info = &usage_kpi_infos[i];
		const char *status = usage_kpi_status(kpis, i);

		judged += status[0] != 'u';
		if (status[0] == 'u' || status[0] == 'g' || advice[i] == NULL)
			continue;
		in->advice[in->advice_count++] = pl_str(pl_sprintf(pool,
		    "%s: %s is %s (%s, from %lld sessions; good is %s %s): %s.", info->name, info->words,
		    figure(pool, i, kpis->value[i]), status, (long long)usage_kpi_sample(kpis, i),
		    info->low ? "at most" : "at least", figure(pool, i, info->good), advice[i]));
	}
	if (in->advice_count == 0 && judged > 0)
		in->advice[in->advice_count++] = pl_str(pl_sprintf(pool,
		    "No change is needed: all %d figures that could be judged are good, with %lld sessions.", judged,
		    (long long)kpis->rows));
}

void insights_words(struct insights *in, struct pl_pool *pool, const struct usage_kpis *kpis)
{
	in->findings = pl_alloc(pool, SENTENCES_MAX * sizeof(*in->findings));
	in->advice = pl_alloc(pool, (KPI_OURS + 1) * sizeof(*in->advice));
	if (kpis->rows < INSIGHTS_ROWS_MIN) {
		find(in, pl_sprintf(pool, "There %s %lld session%s in this window; findings need at least %d.",
		    kpis->rows == 1 ? "is" : "are", (long long)kpis->rows, kpis->rows == 1 ? "" : "s",
		    INSIGHTS_ROWS_MIN));
	} else {
		find(in, pl_sprintf(pool, "%lld session%s by %.0f user%s.", (long long)kpis->rows,
		    kpis->rows == 1 ? "" : "s", kpis->value[KPI_USERS], kpis->value[KPI_USERS] == 1 ? "" : "s"));
		for (int i = 0; i < KPI_OURS; i++) {
			const char *status = usage_kpi_status(kpis, i);

			if (i != KPI_USERS && status[0] != 'u')
				find(in, pl_sprintf(pool, "%s is %s: %s.", usage_kpi_infos[i].name, status,
				    figure(pool, i, kpis->value[i])));
		}
		advise(in, pool, kpis);
	}
	tell_pairs(in, pool);
	tell_outliers(in, pool);
}

/* SPDX-License-Identifier: ISC */
/* The nine KPIs: scope, window, rating, and cache. */
#include <inttypes.h>
#include <math.h>

#include "svc/usage/usage.h"

#include "clock.h"
#include "db/repo/repo_user.h"
#include "svc/account/audit.h"
#include "svc/usage/memo.h"
#include "svc/usage/usage_read.h"

#define US_PER_DAY (86400 * PL_US_PER_S)

const struct usage_kpi_info usage_kpi_infos[KPI_COUNT] = {
	[KPI_VELOCITY] = { "ai_interaction_velocity", "sessions/hour", "sessions per active hour", 3, 1.5, false },
	[KPI_ACCEPTANCE] = { "acceptance_rate", "%", "acceptance", 25, 15, false },
	[KPI_ERRORS] = { "error_rate", "%", "errors", 5, 15, true },
	[KPI_EFFICIENCY] = { "token_efficiency", "accepted/1k tokens", "accepted sessions per 1000 tokens", 0.1, 0.03,
		false },
	[KPI_COST_SESSION] = { "cost_per_session", "USD", "cost of a session", 0.5, 2, true },
	[KPI_COST_ACCEPTED] = { "cost_per_accepted", "USD", "cost of an accepted session", 2, 8, true },
	[KPI_USERS] = { "active_users", "users", "active users", 1, 1, false },
	[KPI_MINUTES] = { "median_session_minutes", "minutes", "median length of a session", 30, 120, true },
	[KPI_SCORE] = { "feedback_score", "of 5", "feedback", 4, 3, false },
	[KPI_MODEL] = { "model_selection_accuracy", "%", "sessions with an approved model", 80, 60, false },
	[KPI_PRS] = { "pr_throughput", "PRs/week", "merged pull requests a week", 3, 1, false },
	[KPI_COMMITS] = { "commit_frequency", "commits/day", "commits a day", 1, 0.3, false },
	[KPI_MERGE] = { "pr_merge_time_hours", "hours", "time until a pull request is merged", 24, 72, true },
	[KPI_REWORK] = { "rework_rate", "%", "reopened pull requests", 10, 20, true },
};

int64_t usage_kpi_sample(const struct usage_kpis *kpis, enum usage_kpi kpi)
{
	switch (kpi) {
	case KPI_ACCEPTANCE:
	case KPI_EFFICIENCY:
	case KPI_COST_ACCEPTED:
		return kpis->judged;
	case KPI_MINUTES:
		return kpis->timed;
	case KPI_SCORE:
		return kpis->scored;
	case KPI_MODEL:
		return kpis->named;
	case KPI_PRS:
	case KPI_COMMITS:
	case KPI_MERGE:
	case KPI_REWORK:
		return kpis->days;
	default:
		return kpis->rows;
	}
}

static const char *judge(const struct usage_kpi_info *info, double value, const char *bad)
{
	double sign = info->low ? -1 : 1;

	if (sign * value >= sign * info->good)
		return "good";
	return sign * value >= sign * info->warning ? "warning" : bad;
}

const char *usage_kpi_status_word(const struct usage_kpis *kpis, enum usage_kpi kpi)
{
	return isnan(kpis->value[kpi]) ? "warning" : judge(&usage_kpi_infos[kpi], kpis->value[kpi], "critical");
}

/* The longest possible list of a setting is far below the limit of a statement. */
struct pl_str usage_approved(struct pl_pool *pool, const struct config *config)
{
	const struct pl_list *list = &config->s.approved_models;
	struct pl_buf out = PL_BUF(pool);

	for (int i = 0; i < list->count; i++) {
		if (i > 0)
			pl_buf_addc(&out, '\n');
		for (const char *c = list->items[i]; *c != '\0'; c++) {
			if (*c == '%' || *c == '_' || *c == '\\')
				pl_buf_addc(&out, '\\');
			pl_buf_addc(&out, *c == '*' ? '%' : *c == '?' ? '_' : *c);
		}
	}
	return list->count > 0 ? pl_buf_str(&out) : PL_STR_NONE;
}

const char *usage_kpi_status(const struct usage_kpis *kpis, enum usage_kpi kpi)
{
	if (isnan(kpis->value[kpi]) || usage_kpi_sample(kpis, kpi) < USAGE_SAMPLE_MIN)
		return "unknown";
	return judge(&usage_kpi_infos[kpi], kpis->value[kpi], "bad");
}

bool usage_may_import(const struct pl_caller *who, struct pl_err *err)
{
	return who->access >= ACCESS_ANALYST ||
	    pl_err_set(err, PL_E_FORBIDDEN, "Only analysts, operators, and admins may import usage.");
}

struct importing { struct svc *svc; struct pl_task *task; int records; db_count_fn *done; void *arg; };

static void importing_on_stored(void *arg, const int64_t *imported, const struct pl_err *err)
{
	struct importing *i = arg;

	if (err == NULL) {
		memo_forget(i->svc->memo);
		audit_note(i->svc, i->task, "usage sessions imported", "%lld of %d", (long long)*imported, i->records);
	}
	i->done(i->arg, imported, err);
}

void usage_import(struct svc *svc, struct pl_task *task, struct usage_batch *batch, db_count_fn *done, void *arg)
{
	struct importing *i = pl_alloc(task->pool, sizeof(*i));

	*i = (struct importing){ .svc = svc, .task = task, .records = batch->good + batch->refused, .done = done,
		.arg = arg };
	repo_usage_import(svc->db, task, usage_batch_json(batch), importing_on_stored, i);
}

bool usage_scope(const struct pl_caller *who, struct usage_filter *filter, struct pl_err *err)
{
	if (who->user_id == 0) {
		filter->hide = filter->series = true;
		if (filter->developer.ptr != NULL)
			return pl_err_set(err, PL_E_FORBIDDEN,
			    "developer_id requires a token: without a token, only totals are available.");
	} else if (who->access >= ACCESS_ANALYST) {
		filter->series = true;
	} else {
		filter->user_id = who->user_id;
	}
	return true;
}

bool usage_window(struct usage_filter *filter, struct pl_pool *pool, int64_t start_us, int64_t end_us, int64_t none,
    bool *standing_r, struct pl_err *err)
{
	*standing_r = start_us == none && end_us == none;
	filter->to_us = end_us != none ? end_us : pl_wall_us() + PL_US_PER_S;
	filter->from_us = start_us != none ? start_us : filter->to_us - USAGE_WINDOW_DAYS * US_PER_DAY;
	if (filter->from_us <= 0 || filter->to_us <= 0)
		return pl_err_field(err, pool, "query.start", "value_error", "start and end must be after 1970");
	if (filter->from_us >= filter->to_us)
		return pl_err_field(err, pool, "query.end", "value_error", "end must be after start");
	if (filter->to_us - filter->from_us > USAGE_DAYS_MAX * US_PER_DAY)
		return pl_err_field(err, pool, "query.start", "value_error", "at most %d days between start and end",
		    USAGE_DAYS_MAX);
	return true;
}

struct pl_str usage_key(struct pl_pool *pool, const char *what, const struct usage_filter *f, bool standing)
{
	return pl_str(pl_sprintf(pool, "%s|%" PRId64 "|%" PRId64 "|%" PRId64 "|%d%d%d|%zu:%.*s|%.*s", what,
	    standing ? 0 : f->from_us, standing ? 0 : f->to_us, f->user_id, f->hide, f->series, f->lag_days,
	    f->developer.ptr != NULL ? f->developer.len : 9999, PL_FMT(f->developer), PL_FMT(f->model)));
}

bool usage_kpis_known(struct svc *svc, struct pl_str key, struct usage_kpis *out)
{
	struct pl_str kept = memo_find(svc->memo, key);

	if (kept.ptr != NULL)
		memcpy(out, kept.ptr, sizeof(*out));
	return kept.ptr != NULL;
}

struct asking { struct svc *svc; struct pl_str key; repo_usage_kpis_fn *done; void *arg; };

static void on_kpis(void *arg, const struct usage_kpis *kpis, const struct pl_err *err)
{
	struct asking *a = arg;

	if (kpis != NULL)
		memo_keep(a->svc->memo, a->key, pl_strn((const char *)kpis, sizeof(*kpis)));
	a->done(a->arg, kpis, err);
}

void usage_kpis_ask(struct svc *svc, struct pl_task *task, struct pl_str key, const struct usage_filter *filter,
    repo_usage_kpis_fn *done, void *arg)
{
	struct asking *a = pl_alloc(task->pool, sizeof(*a));

	*a = (struct asking){ .svc = svc, .key = key, .done = done, .arg = arg };
	repo_usage_kpis(svc->db, task, filter, on_kpis, a);
}

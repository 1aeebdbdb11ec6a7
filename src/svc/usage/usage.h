/* SPDX-License-Identifier: ISC */
/*
 * Figures about usage: the nine KPIs with their judgment, and the insights. Results are cached for 3 s per process.
 */
#ifndef SVC_USAGE_H
#define SVC_USAGE_H

#include "db/repo/repo_usage.h"
#include "svc/svc.h"

#define USAGE_WINDOW_DAYS 30	/* default window */
#define USAGE_DAYS_MAX 1100	/* longest window */
#define USAGE_SAMPLE_MIN 5	/* fewer: the status is unknown */

/* Name, unit, and the limits of good and warning; low: less is better. */
struct usage_kpi_info { const char *name, *unit, *words; double good, warning; bool low; };
extern const struct usage_kpi_info usage_kpi_infos[KPI_COUNT];
/* good, warning, bad, unknown */
const char *usage_kpi_status(const struct usage_kpis *kpis, enum usage_kpi kpi);
/* The same in the three words of ProdLens, for any sample: good, warning, critical; warning without data. */
const char *usage_kpi_status_word(const struct usage_kpis *kpis, enum usage_kpi kpi);
/* Setting approved_models as LIKE patterns for usage_filter.approved. */
struct pl_str usage_approved(struct pl_pool *pool, const struct config *config);
/* The number of rows that a KPI was computed from. */
int64_t usage_kpi_sample(const struct usage_kpis *kpis, enum usage_kpi kpi);

/*
 * The rows that the caller may see: analysts and above all rows, a user their own rows, anonymous clients totals
 * without names. PL_E_FORBIDDEN if an anonymous client asks for one developer.
 */
bool usage_scope(const struct pl_caller *who, struct usage_filter *filter, struct pl_err *err) PL_MUSTCHECK;
/* Fills the window: SHAPE-like `none` values mean the default one, the last 30 days. PL_E_INVALID. */
bool usage_window(struct usage_filter *filter, struct pl_pool *pool, int64_t start_us, int64_t end_us, int64_t none,
    bool *standing_r, struct pl_err *err) PL_MUSTCHECK;

/* Key of a memo. standing: the default window, which moves. */
struct pl_str usage_key(struct pl_pool *pool, const char *what, const struct usage_filter *filter, bool standing);

/* true: found in the cache. Otherwise, use usage_kpis_ask(). */
bool usage_kpis_known(struct svc *svc, struct pl_str key, struct usage_kpis *out) PL_MUSTCHECK;
void usage_kpis_ask(struct svc *svc, struct pl_task *task, struct pl_str key, const struct usage_filter *filter,
    repo_usage_kpis_fn *done, void *arg);

struct usage_batch;
/* Analysts, operators, and admins. PL_E_FORBIDDEN. */
bool usage_may_import(const struct pl_caller *who, struct pl_err *err) PL_MUSTCHECK;
/* Stores the valid records of a batch, and clears the cache. Returns the number of new ones. In the audit trail. */
void usage_import(struct svc *svc, struct pl_task *task, struct usage_batch *batch, db_count_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Usage: import and figures (tables sessions, usage, usage_series; SQL functions usage_*).
 */
#ifndef DB_REPO_USAGE_H
#define DB_REPO_USAGE_H

#include "db/db.h"

/* Selects rows: [from, to), and their owner. Absent texts and user_id 0 do not filter. */
struct usage_filter {
	int64_t from_us, to_us;
	struct pl_str developer, model;
	int64_t user_id;		/* rows of this account only */
	bool hide;			/* leave out names of developers and series of persons */
	bool series;			/* usage_series may be read */
	int lag_days;			/* series are read this many days later */
	struct pl_str approved;		/* LIKE patterns of approved models, one per line; absent: no list */
};

/*
 * The figures (NaN if unknown), with the numbers of rows that they were computed from. The first KPI_OURS are always
 * shown.
 */
enum usage_kpi { KPI_VELOCITY, KPI_ACCEPTANCE, KPI_ERRORS, KPI_EFFICIENCY, KPI_COST_SESSION, KPI_COST_ACCEPTED,
	KPI_USERS, KPI_MINUTES, KPI_SCORE, KPI_OURS, KPI_MODEL = KPI_OURS, KPI_PRS, KPI_COMMITS, KPI_MERGE, KPI_REWORK,
	KPI_COUNT };
/* named: sessions with a model; days: rows of series, one a day and developer. */
struct usage_kpis { double value[KPI_COUNT]; int64_t rows, judged, timed, scored, named, days; };
typedef void (repo_usage_kpis_fn)(void *arg, const struct usage_kpis *kpis, const struct pl_err *err);
void repo_usage_kpis(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_kpis_fn *done,
    void *arg);

struct usage_point { int64_t at_us; struct pl_str metric; double value; struct pl_str developer, model; };
struct usage_point_list { const struct usage_point *rows; int count; bool more; int64_t total; };
typedef void (repo_usage_points_fn)(void *arg, const struct usage_point_list *list, const struct pl_err *err);
/* bucket: hour, day or week. */
void repo_usage_points(struct db *db, struct pl_task *task, const struct usage_filter *filter, const char *bucket,
    int64_t offset, int limit, repo_usage_points_fn *done, void *arg);

/* Daily figures in long form; day: since 1970. */
struct usage_day { int64_t day; struct pl_str name; double value; bool imported; };
struct usage_day_list { const struct usage_day *rows; int count; };
typedef void (repo_usage_days_fn)(void *arg, const struct usage_day_list *list, const struct pl_err *err);
void repo_usage_days(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_days_fn *done,
    void *arg);

/* Further data of a session, which only some sources have: otherwise NaN, -1, or absent. */
struct usage_extra { double latency_ms, diff_ratio; int64_t status_code, accepted_lines; struct pl_str repo_slug; };
struct pgrow;
/* The next five columns. */
void usage_extra_read(struct pgrow *row, struct usage_extra *out);

struct usage_session {
	struct pl_str id, developer, model;
	int64_t at_us, tokens, tokens_in, tokens_out, cost_micros;
	int accepted;				/* -1: unknown */
	struct usage_extra extra;
};
struct usage_session_list { const struct usage_session *rows; int count; };
typedef void (repo_usage_recent_fn)(void *arg, const struct usage_session_list *list, const struct pl_err *err);
/* Newest first. user_id 0: of all users. */
void repo_usage_recent(struct db *db, struct pl_task *task, int64_t user_id, bool hide, int limit,
    repo_usage_recent_fn *done, void *arg);

/* *result: whether there is any imported session. */
void repo_usage_imported(struct db *db, struct pl_task *task, db_done_fn *done, void *arg);

/* rows: a JSON array as built by svc/usage/usage_read.h. Returns the number of new rows. */
void repo_usage_import(struct db *db, struct pl_task *task, struct pl_str rows, db_count_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Usage: statements, parameters, row readers.
 */
#include <math.h>

#include "db/repo/repo_usage.h"

#include "db/repo/repo_int.h"

static void add_filter(struct pgcall *call, const struct usage_filter *f)
{
	pgcall_time(call, f->from_us);
	pgcall_time(call, f->to_us);
	pgcall_text(call, f->developer);
	pgcall_text(call, f->model);
	pgcall_i64_or_null(call, f->user_id, 0);
}

static void on_kpis(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct usage_kpis kpis = { .rows = 0 };

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		kpis.rows = pgrow_i64(&row);
		kpis.judged = pgrow_i64(&row);
		kpis.timed = pgrow_i64(&row);
		kpis.scored = pgrow_i64(&row);
		for (int i = 0; i < KPI_COUNT; i++)
			kpis.value[i] = pgrow_f64_or(&row, NAN);
	}
	if (call->done != NULL)
		DONE(repo_usage_kpis_fn, call)(call->arg, err == NULL ? &kpis : NULL, err);
}

void repo_usage_kpis(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_kpis_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USAGE_METRICS, on_kpis, (pgcall_done_fn *)done, arg);

	add_filter(call, filter);
	pgcall_start(call);
}

static void on_points(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct usage_point_list list = { .count = 0 };

	if (err == NULL) {
		struct usage_point *rows;

		list.count = repo_rows(call, res, &list.more);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].at_us = pgrow_time(&row);
			rows[i].metric = pgrow_text(&row);
			rows[i].value = pgrow_f64_or(&row, NAN);
			rows[i].developer = pgrow_text(&row);
			rows[i].model = pgrow_text(&row);
			list.total = pgrow_i64(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_usage_points_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_usage_points(struct db *db, struct pl_task *task, const struct usage_filter *filter, const char *bucket,
    int64_t offset, int limit, repo_usage_points_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USAGE_POINTS, on_points, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	add_filter(call, filter);
	pgcall_bool(call, filter->hide);
	pgcall_cstr(call, bucket);
	pgcall_i64(call, offset);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_days(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct usage_day_list list = { .count = 0 };

	if (err == NULL) {
		struct usage_day *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].day = pgrow_i64(&row);
			rows[i].name = pgrow_text(&row);
			rows[i].value = pgrow_f64_or(&row, NAN);
			rows[i].imported = pgrow_bool(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_usage_days_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_usage_days(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_days_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USAGE_DAYS, on_days, (pgcall_done_fn *)done, arg);

	add_filter(call, filter);
	pgcall_bool(call, filter->series);
	pgcall_start(call);
}

static void on_recent(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct usage_session_list list = { .count = 0 };

	if (err == NULL) {
		struct usage_session *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].id = pgrow_text(&row);
			rows[i].developer = pgrow_text(&row);
			rows[i].at_us = pgrow_time(&row);
			rows[i].model = pgrow_text(&row);
			rows[i].tokens = pgrow_i64(&row);
			rows[i].cost_micros = pgrow_i64(&row);
			rows[i].accepted = pgrow_null(&row) ? -1 : pgrow_bool(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_usage_recent_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_usage_recent(struct db *db, struct pl_task *task, int64_t user_id, bool hide, int limit,
    repo_usage_recent_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USAGE_RECENT, on_recent, (pgcall_done_fn *)done, arg);

	pgcall_i64_or_null(call, user_id, 0);
	pgcall_bool(call, hide);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_usage_import(struct db *db, struct pl_task *task, struct pl_str rows, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_USAGE_IMPORT, repo_on_count, (pgcall_done_fn *)done, arg);

	pgcall_text(call, rows);
	pgcall_start(call);
}

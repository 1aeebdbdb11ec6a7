/* SPDX-License-Identifier: ISC */
/*
 * Usage: statements, parameters, row readers.
 */
#include <math.h>

#include "db/repo/repo_usage.h"

#include "db/repo/repo_int.h"

static void add_filter(struct pgquery *query, const struct usage_filter *f)
{
	pgquery_time(query, f->from_us);
	pgquery_time(query, f->to_us);
	pgquery_text(query, f->developer);
	pgquery_text(query, f->model);
	pgquery_i64_or_null(query, f->user_id, 0);
}

REPLY(on_kpis, struct usage_kpis)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);

	out->rows = pgrow_i64(&row);
	out->judged = pgrow_i64(&row);
	out->timed = pgrow_i64(&row);
	out->scored = pgrow_i64(&row);
	for (int i = 0; i < KPI_OURS; i++)
		out->value[i] = pgrow_f64_or(&row, NAN);
	out->named = pgrow_i64(&row);
	out->days = pgrow_i64(&row);
	for (int i = KPI_OURS; i < KPI_COUNT; i++)
		out->value[i] = pgrow_f64_or(&row, NAN);
	return true;
}

void repo_usage_kpis(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_kpis_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USAGE_METRICS, on_kpis, done, arg);

	add_filter(query, filter);
	pgquery_bool(query, filter->series);
	pgquery_i32(query, filter->lag_days);
	pgquery_text(query, filter->approved);
	pgquery_start(query);
}

static void read_usage_point(struct pgrow *row, struct usage_point *out)
{
	out->at_us = pgrow_time(row);
	out->metric = pgrow_text(row);
	out->value = pgrow_f64_or(row, NAN);
	out->developer = pgrow_text(row);
	out->model = pgrow_text(row);
}

REPLY(on_points, struct usage_point_list)
{
	READ_PAGE(query, res, out, struct usage_point, read_usage_point);
	out->total = repo_total_i64(res);
	return true;
}

void repo_usage_points(struct db *db, struct pl_task *task, const struct usage_filter *filter, const char *bucket,
    int64_t offset, int limit, repo_usage_points_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USAGE_POINTS, on_points, done, arg);

	repo_keep_limit(query, limit);
	add_filter(query, filter);
	pgquery_bool(query, filter->hide);
	pgquery_cstr(query, bucket);
	pgquery_i64(query, offset);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

static void read_usage_day(struct pgrow *row, struct usage_day *out)
{
	out->day = pgrow_i64(row);
	out->name = pgrow_text(row);
	out->value = pgrow_f64_or(row, NAN);
	out->imported = pgrow_bool(row);
}

REPLY(on_days, struct usage_day_list)
{
	READ_ROWS(query, res, out, struct usage_day, read_usage_day);
	return true;
}

void repo_usage_days(struct db *db, struct pl_task *task, const struct usage_filter *filter, repo_usage_days_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USAGE_DAYS, on_days, done, arg);

	add_filter(query, filter);
	pgquery_bool(query, filter->series);
	pgquery_start(query);
}

void usage_extra_read(struct pgrow *row, struct usage_extra *out)
{
	out->latency_ms = pgrow_f64_or(row, NAN);
	out->status_code = pgrow_i64_or(row, -1);
	out->diff_ratio = pgrow_f64_or(row, NAN);
	out->accepted_lines = pgrow_i64_or(row, -1);
	out->repo_slug = pgrow_text(row);
}

static void read_usage_session(struct pgrow *row, struct usage_session *out)
{
	out->id = pgrow_text(row);
	out->developer = pgrow_text(row);
	out->at_us = pgrow_time(row);
	out->model = pgrow_text(row);
	out->tokens = pgrow_i64(row);
	out->cost_micros = pgrow_i64(row);
	out->accepted = pgrow_null(row) ? -1 : 0;
	out->accepted += pgrow_bool(row);
	out->tokens_in = pgrow_i64(row);
	out->tokens_out = pgrow_i64(row);
	usage_extra_read(row, &out->extra);
}

REPLY(on_recent, struct usage_session_list)
{
	READ_ROWS(query, res, out, struct usage_session, read_usage_session);
	return true;
}

void repo_usage_recent(struct db *db, struct pl_task *task, int64_t user_id, bool hide, int limit,
    repo_usage_recent_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USAGE_RECENT, on_recent, done, arg);

	pgquery_i64_or_null(query, user_id, 0);
	pgquery_bool(query, hide);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_usage_imported(struct db *db, struct pl_task *task, db_done_fn *done, void *arg)
{
	pgquery_start(QUERY(db, task, S_USAGE_IMPORTED, repo_on_bool, done, arg));
}

void repo_usage_import(struct db *db, struct pl_task *task, struct pl_str rows, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USAGE_IMPORT, repo_on_count, done, arg);

	pgquery_text(query, rows);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/* Preferences and dashboards: statements, parameters, row readers. */
#include <math.h>

#include "db/repo/repo_dashboard.h"

#include "db/repo/repo_int.h"

REPLY(on_profile, struct profile)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->preferences = pgrow_text(&row);
	out->messages = pgrow_i64(&row);
	out->rooms = pgrow_i64(&row);
	out->sessions = pgrow_i64(&row);
	out->answers = pgrow_i64(&row);
	out->tokens = pgrow_i64(&row);
	out->cost_micros = pgrow_i64(&row);
	out->votes = pgrow_i64(&row);
	out->sums.sessions = pgrow_i64(&row);
	out->sums.tokens = pgrow_i64(&row);
	out->sums.cost_micros = pgrow_i64(&row);
	out->sums.latency_ms = pgrow_f64_or(&row, NAN);
	out->sums.acceptance = pgrow_f64_or(&row, NAN);
	out->sums.models = pgrow_text(&row);
	out->sums.repos = pgrow_text(&row);
	out->sums.dates = pgrow_text(&row);
	out->locale = pgrow_text(&row);
	out->timezone = pgrow_text(&row);
	return true;
}

void repo_profile(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str developer, bool alone,
    repo_profile_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, user_id != 0 ? S_PROFILE : S_PROFILE_ALL, on_profile, done, arg);

	if (user_id != 0) {
		pgquery_i64(query, user_id);
		pgquery_text(query, developer);
		pgquery_bool(query, alone);
	}
	pgquery_start(query);
}

REPLY(on_patched, bool)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
	struct pl_str status = pgrow_text(&row);

	*out = true;
	if (pl_str_is(status, "bad_zone"))
		return pl_err_field(bad, query->task->pool, "body.timezone", "value_error",
		    "must be the name of a time zone, such as Europe/Berlin");
	return repo_status_err(status, bad);
}

void repo_profile_patch(struct db *db, struct pl_task *task, int64_t user_id, const struct profile_new *in,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PROFILE_PATCH, on_patched, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, in->name);
	pgquery_text(query, in->preferences);
	pgquery_text(query, in->locale);
	pgquery_text(query, in->timezone);
	pgquery_start(query);
}

static void read_dashboard(struct pgrow *row, struct dashboard *out)
{
	out->layout_id = pgrow_text(row);
	out->name = pgrow_text(row);
	out->version = pgrow_i64(row);
	out->columns = pgrow_i32(row);
	out->cards = pgrow_text(row);
	out->created_us = pgrow_time(row);
	out->updated_us = pgrow_time(row);
}

REPLY(on_list, struct dashboard_list)
{
	struct pgrow row;

	if (query->stmt == &stmts[S_DASHBOARD_GET] && !repo_first(query, res, &row, bad))
		return false;
	READ_ROWS(query, res, out, struct dashboard, read_dashboard);
	return true;
}

void repo_dashboard_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id,
    repo_dashboard_list_fn *done, void *arg)
{
	bool one = layout_id.ptr != NULL;
	struct pgquery *query = QUERY(db, task, one ? S_DASHBOARD_GET : S_DASHBOARD_LIST, on_list, done, arg);

	pgquery_i64(query, user_id);
	if (one)
		pgquery_text(query, layout_id);
	pgquery_start(query);
}

/* Explains why a save does not fit the stored version. */
static void read_refusal(struct pl_str status, int64_t have, struct pl_err *err)
{
	if (pl_str_is(status, "stale"))
		pl_err_set(err, PL_E_STALE, NULL);
	else if (pl_str_is(status, "limit"))
		pl_err_set(err, PL_E_CONFLICT, "You have reached the limit of %d dashboards.", DASHBOARDS_MAX);
	else if (have == 0)
		pl_err_set(err, PL_E_CONFLICT, "The dashboard was deleted: its version is 0.");
	else
		pl_err_set(err, PL_E_CONFLICT, "The dashboard was changed by another request: its version is %lld.",
		    (long long)have);
}

REPLY(on_saved, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
	struct pl_str status = pgrow_text(&row);

	*out = pgrow_i64(&row);
	if (!pl_str_is(status, "ok")) {
		read_refusal(status, *out, bad);
		return false;
	}
	return true;
}

void repo_dashboard_save(struct db *db, struct pl_task *task, int64_t user_id, const struct dashboard *d, int64_t match,
    int64_t version, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_DASHBOARD_SAVE, on_saved, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, d->layout_id);
	pgquery_i64_or_null(query, match, -1);
	pgquery_i64_or_null(query, version, -1);
	pgquery_text(query, d->cards);
	pgquery_text(query, d->name);
	pgquery_i32(query, d->columns);
	pgquery_i64(query, DASHBOARDS_MAX);
	pgquery_start(query);
}

REPLY(on_deleted, bool)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
	struct pl_str status = pgrow_text(&row);

	*out = true;
	if (!pl_str_is(status, "stale"))
		return repo_status_err(status, bad);
	pl_err_set(bad, PL_E_STALE, NULL);
	return false;
}

void repo_dashboard_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id, int64_t match,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_DASHBOARD_DELETE, on_deleted, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, layout_id);
	pgquery_i64_or_null(query, match, -1);
	pgquery_start(query);
}

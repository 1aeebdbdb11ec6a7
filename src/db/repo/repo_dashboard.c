/* SPDX-License-Identifier: ISC */
/*
 * Preferences, dashboards: statements, parameters, row readers.
 */
#include "db/repo/repo_dashboard.h"

#include "db/repo/repo_int.h"

static void on_profile(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct profile profile = { .messages = 0 };

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		profile.preferences = pgrow_text(&row);
		profile.messages = pgrow_i64(&row);
		profile.rooms = pgrow_i64(&row);
		profile.sessions = pgrow_i64(&row);
		profile.answers = pgrow_i64(&row);
		profile.tokens = pgrow_i64(&row);
		profile.cost_micros = pgrow_i64(&row);
		profile.votes = pgrow_i64(&row);
	}
	if (call->done != NULL)
		DONE(repo_profile_fn, call)(call->arg, err == NULL ? &profile : NULL, err);
}

void repo_profile(struct db *db, struct pl_task *task, int64_t user_id, repo_profile_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, user_id != 0 ? S_PROFILE : S_PROFILE_ALL, on_profile,
	    (pgcall_done_fn *)done, arg);

	if (user_id != 0)
		pgcall_i64(call, user_id);
	pgcall_start(call);
}

void repo_preferences_put(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str preferences,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_PREFERENCES_PUT, repo_on_done, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, preferences);
	pgcall_start(call);
}

static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct dashboard_list list = { .count = 0 };
	struct pl_err none;

	if (err == NULL && call->stmt == &stmts[S_DASHBOARD_GET] && PQntuples(res) == 0)
		err = repo_not_found(&none);
	if (err == NULL) {
		struct dashboard *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].layout_id = pgrow_text(&row);
			rows[i].version = pgrow_i64(&row);
			rows[i].cards = pgrow_text(&row);
			rows[i].created_us = pgrow_time(&row);
			rows[i].updated_us = pgrow_time(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_dashboard_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_dashboard_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id,
    repo_dashboard_list_fn *done, void *arg)
{
	bool one = layout_id.ptr != NULL;
	struct pgcall *call = pgcall_new(db, task, one ? S_DASHBOARD_GET : S_DASHBOARD_LIST, on_list,
	    (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	if (one)
		pgcall_text(call, layout_id);
	pgcall_start(call);
}

/* The sentence for a save that does not fit what is there. */
static void read_refusal(struct pl_str status, int64_t have, struct pl_err *err)
{
	if (pl_str_is(status, "stale"))
		pl_err_set(err, PL_E_STALE, NULL);
	else if (pl_str_is(status, "limit"))
		pl_err_set(err, PL_E_CONFLICT, "You have as many dashboards as are allowed: %d.", DASHBOARDS_MAX);
	else if (have == 0)
		pl_err_set(err, PL_E_CONFLICT, "There is no such dashboard any more: its version is 0.");
	else
		pl_err_set(err, PL_E_CONFLICT, "The dashboard was changed meanwhile: its version is %lld.",
		    (long long)have);
}

static void on_saved(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	int64_t version = 0;
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);
		struct pl_str status = pgrow_text(&row);

		version = pgrow_i64(&row);
		if (!pl_str_is(status, "ok")) {
			read_refusal(status, version, &bad);
			err = &bad;
		}
	}
	if (call->done != NULL)
		DONE(db_count_fn, call)(call->arg, err == NULL ? &version : NULL, err);
}

void repo_dashboard_save(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id, int64_t match,
    int64_t version, struct pl_str cards, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_DASHBOARD_SAVE, on_saved, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, layout_id);
	pgcall_i64_or_null(call, match, -1);
	pgcall_i64_or_null(call, version, -1);
	pgcall_text(call, cards);
	pgcall_i64(call, DASHBOARDS_MAX);
	pgcall_start(call);
}

static void on_deleted(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);
		struct pl_str status = pgrow_text(&row);

		if (pl_str_is(status, "stale")) {
			pl_err_set(&bad, PL_E_STALE, NULL);
			err = &bad;
		} else if (!repo_status_err(status, &bad)) {
			err = &bad;
		}
	}
	repo_on_done(call, res, err);
}

void repo_dashboard_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id, int64_t match,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_DASHBOARD_DELETE, on_deleted, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, layout_id);
	pgcall_i64_or_null(call, match, -1);
	pgcall_start(call);
}

/* SPDX-License-Identifier: ISC */
/*
 * Data of users: preferences (table preferences), dashboards (table dashboards), and totals of their activity.
 */
#ifndef DB_REPO_DASHBOARD_H
#define DB_REPO_DASHBOARD_H

#include "db/db.h"

#define DASHBOARDS_MAX 100	/* of one user */

/* preferences: a JSON object */
/* Totals of usage sessions; NaN: no data. models, repos, dates: JSON. */
struct profile_sums {
	int64_t sessions, tokens, cost_micros;
	double latency_ms, acceptance;
	struct pl_str models, repos, dates;
};
struct profile {
	struct pl_str preferences;
	int64_t messages, rooms, sessions, answers, tokens, cost_micros, votes;
	struct profile_sums sums;
	struct pl_str locale, timezone;	/* absent when not given */
};
typedef void (repo_profile_fn)(void *arg, const struct profile *profile, const struct pl_err *err);
/*
 * user_id 0: totals of all users, no preferences. developer: imported sessions with this name count, too; absent: none.
 * alone: only these count.
 */
void repo_profile(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str developer, bool alone,
    repo_profile_fn *done, void *arg);
/* Absent: unchanged; empty: none. preferences: a checked JSON object; locale: a checked language tag. */
struct profile_new { struct pl_str name, preferences, locale, timezone; };
/* All or nothing. PL_E_NOT_FOUND, PL_E_TAKEN (name), PL_E_INVALID (timezone). */
void repo_profile_patch(struct db *db, struct pl_task *task, int64_t user_id, const struct profile_new *in,
    db_done_fn *done, void *arg);

/* cards: a JSON array; name: for people */
struct dashboard { struct pl_str layout_id, name, cards; int64_t version, created_us, updated_us; int columns; };
struct dashboard_list { const struct dashboard *rows; int count; };
typedef void (repo_dashboard_list_fn)(void *arg, const struct dashboard_list *list, const struct pl_err *err);
/* layout_id absent: all; otherwise one row or PL_E_NOT_FOUND. */
void repo_dashboard_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id,
    repo_dashboard_list_fn *done, void *arg);

/*
 * Saves layout_id, name (absent: unchanged), columns, and cards of `d`. match: version of If-Match, version: version of
 * the body, -1: not given; match 0: any existing version. Returns the new version. PL_E_STALE, PL_E_CONFLICT (another
 * version, or too many dashboards).
 */
void repo_dashboard_save(struct db *db, struct pl_task *task, int64_t user_id, const struct dashboard *d, int64_t match,
    int64_t version, db_count_fn *done, void *arg);
/* PL_E_NOT_FOUND, PL_E_STALE. */
void repo_dashboard_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id, int64_t match,
    db_done_fn *done, void *arg);

#endif

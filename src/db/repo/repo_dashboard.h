/* SPDX-License-Identifier: ISC */
/*
 * What a user keeps here: preferences (table preferences) and dashboards (table dashboards); and sums of what they did.
 */
#ifndef DB_REPO_DASHBOARD_H
#define DB_REPO_DASHBOARD_H

#include "db/db.h"

#define DASHBOARDS_MAX 100	/* of one user */

/* preferences: a JSON object */
/* Sums of usage sessions; NaN: there are none to compute from. models, repos, dates: JSON. */
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
 * user_id 0: sums over everybody, no preferences. developer: imported sessions of that name count as well; absent:
 * none. alone: only they do.
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
 * Saves what `d` says of layout_id, name (absent: the one there is), columns, and cards. match: what If-Match says,
 * version: what the body says, -1: nothing; match 0: any that exists. Gives the new version. PL_E_STALE, PL_E_CONFLICT
 * (another version, or too many dashboards).
 */
void repo_dashboard_save(struct db *db, struct pl_task *task, int64_t user_id, const struct dashboard *d, int64_t match,
    int64_t version, db_count_fn *done, void *arg);
/* PL_E_NOT_FOUND, PL_E_STALE. */
void repo_dashboard_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str layout_id, int64_t match,
    db_done_fn *done, void *arg);

#endif

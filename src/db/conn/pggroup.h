/* SPDX-License-Identifier: ISC */
/*
 * Combines starts and ends of answers that arrive at the same time in one transaction:
 *
 *   pggroup_start() -> waiting -> (end of a turn, nothing in flight) at most 64 in order of pgquery_group(), one Sync
 *   -> commit -> callers
 *
 * Each one is still a separate query. A query that fails leaves its group and runs alone in the plain pool; the others
 * are repeated without it. A query that waits for a lock for DB_STUCK_MS also leaves, and later queries pass it. All
 * groups lock in the same order, so workers cannot deadlock.
 */
#ifndef DB_PGGROUP_H
#define DB_PGGROUP_H

#include "db/conn/pgquery.h"

struct pggroup;

/* Opens a separate connection at once. */
struct pggroup *pggroup_new(struct db *db);
/* Moves the queries that are left to *calls. */
void pggroup_free(struct pggroup **group, struct pgquery_list *calls);
/* Uses the plain pool while the connection is missing or stuck. */
void pggroup_start(struct pggroup *group, struct pgquery *query);
void pggroup_turn(struct pggroup *group);
void pggroup_sweep(struct pggroup *group);
/* Nothing waits or is in flight, even if its caller has its result. */
bool pggroup_idle(const struct pggroup *group);

#endif

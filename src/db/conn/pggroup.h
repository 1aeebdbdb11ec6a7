/* SPDX-License-Identifier: ISC */
/*
 * Starts and ends of answers that come at the same time, in one transaction:
 *
 *   pggroup_start() -> waiting -> (end of a turn, nothing in flight) at most 64 in order of pgquery_group(), one Sync
 *   -> commit -> callers
 *
 * Each stays a query of its own. One that fails leaves its group and goes alone through the plain pool, the rest is
 * repeated without it. What waits for a lock for DB_STUCK_MS leaves too, and what comes meanwhile goes around it. All
 * groups lock in the same order, so two workers never wait for each other in a circle.
 */
#ifndef DB_PGGROUP_H
#define DB_PGGROUP_H

#include "db/conn/pgquery.h"

struct pggroup;

/* A connection of its own, opened at once. */
struct pggroup *pggroup_new(struct db *db);
/* Moves the queries that are left to *calls. */
void pggroup_free(struct pggroup **group, struct pgquery_list *calls);
/* Through the plain pool while its connection is not there or stuck. */
void pggroup_start(struct pggroup *group, struct pgquery *query);
void pggroup_turn(struct pggroup *group);
void pggroup_sweep(struct pggroup *group);
/* What waits or is in flight, told or not. */
bool pggroup_idle(const struct pggroup *group);

#endif

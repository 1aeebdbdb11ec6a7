/* SPDX-License-Identifier: ISC */
/*
 * Write groups: how messages get into rooms.
 *
 *   wgroup_add() -> waiting -> (end of a turn, nothing in flight) group of at most 256 -> one room_append() per room,
 *   rooms ascending, one Sync -> commit -> callers
 *
 * A room whose statement failed leaves its group and goes alone through the plain pool (wpark.c), the rest of the group
 * is repeated. A connection lost in mid-flight: the identical group is repeated first after the reconnect, so that
 * nothing overtakes it. Order within a room is the order of the queries, always.
 */
#ifndef DB_WGROUP_H
#define DB_WGROUP_H

#include "db/repo/repo_message.h"

struct wgroup;

/* conn false: no connection of its own, every room goes through the plain pool (clerk, courier). */
struct wgroup *wgroup_new(struct db *db, bool conn);
/* Tells what was sent PL_E_WRITE_UNKNOWN and the rest PL_E_STOPPING. Before the pools it uses are freed. */
void wgroup_free(struct wgroup **group);
void wgroup_add(
    struct wgroup *group, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg);
void wgroup_turn(struct wgroup *group);
/* Deadlines and cancellation. */
void wgroup_sweep(struct wgroup *group, int64_t now_ns);
/* Completions that could not run in wgroup_add(). */
void wgroup_again(struct wgroup *group);
bool wgroup_up(const struct wgroup *group);
bool wgroup_idle(const struct wgroup *group);

#endif

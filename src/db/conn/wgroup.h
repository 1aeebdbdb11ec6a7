/* SPDX-License-Identifier: ISC */
/*
 * Write groups: how messages are stored in rooms.
 *
 *   wgroup_add() -> waiting -> (end of a turn, nothing in flight) group of at most 256 -> one room_append() per room,
 *   rooms ascending, one Sync -> commit -> callers
 *
 * A room whose statement failed leaves its group and is written alone in the plain pool (wpark.c); the rest of the
 * group is repeated. If the connection is lost while a group is in flight, the same group is repeated first after the
 * reconnect, so that nothing overtakes it. The order within a room is always the order of the calls.
 */
#ifndef DB_WGROUP_H
#define DB_WGROUP_H

#include "db/repo/repo_message.h"

struct wgroup;

/* conn false: no separate connection; all rooms use the plain pool (clerk, courier). */
struct wgroup *wgroup_new(struct db *db, bool conn);
/*
 * Fails sent messages with PL_E_WRITE_UNKNOWN and others with PL_E_STOPPING. Called before the pools that it uses are
 * freed.
 */
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

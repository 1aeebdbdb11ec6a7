/* SPDX-License-Identifier: ISC */
/*
 * Rooms that go alone through the plain pool: one statement at a time per room, later sends of that room wait behind
 * it.
 */
#ifndef DB_WPARK_H
#define DB_WPARK_H

#include "db/conn/wsend.h"

struct wparks;

struct wparks *wparks_new(struct db *db);
void wparks_free(struct wparks **parks);
/* Takes over a room that could not go with its group; its sends come before any later ones. */
void wparks_take(struct wparks *parks, struct wroom *room);
/*
 * Appends a send if its room is parked, or in any case with `make`; false: not parked, the send is still the caller's.
 */
bool wparks_add(struct wparks *parks, struct wsend *send, bool make);
/* Starts what can be started. */
void wparks_turn(struct wparks *parks);
void wparks_sweep(struct wparks *parks, int64_t now_ns, bool away);
bool wparks_idle(const struct wparks *parks);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Rooms that are written alone in the plain pool: one statement at a time per room; later sends to this room wait.
 */
#ifndef DB_WPARK_H
#define DB_WPARK_H

#include "db/conn/wsend.h"

struct wparks;

struct wparks *wparks_new(struct db *db);
void wparks_free(struct wparks **parks);
/* Takes over a room that left its group; its sends precede all later ones. */
void wparks_take(struct wparks *parks, struct wroom *room);
/*
 * Appends a send if its room is parked; with `make`, it parks the room first. false: not parked, the send still belongs
 * to the caller.
 */
bool wparks_add(struct wparks *parks, struct wsend *send, bool make);
/* Starts all statements that can start. */
void wparks_turn(struct wparks *parks);
void wparks_sweep(struct wparks *parks, int64_t now_ns, bool away);
bool wparks_idle(const struct wparks *parks);

#endif

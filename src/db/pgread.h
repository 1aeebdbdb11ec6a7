/* SPDX-License-Identifier: ISC */
/*
 * The read pipeline: many statements of many tasks on one connection, one Sync per loop turn or 16 statements.
 *
 * An error aborts what follows it up to the next Sync; those neighbours are sent again, each with a Sync of its own.
 */
#ifndef DB_PGREAD_H
#define DB_PGREAD_H

#include "db/pgcall.h"

struct pgread;

struct pgread *pgread_new(struct db *db);
/* The calls it had are moved to *calls, unfinished. */
void pgread_free(struct pgread **read, struct pgcall_list *calls);
void pgread_start(struct pgread *read, struct pgcall *call);
void pgread_turn(struct pgread *read);
bool pgread_up(const struct pgread *read);
bool pgread_idle(const struct pgread *read);

#endif

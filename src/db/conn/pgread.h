/* SPDX-License-Identifier: ISC */
/*
 * The read pipeline: many statements of many tasks on one connection, one Sync per loop turn or 16 statements.
 *
 * An error aborts what follows it up to the next Sync; those neighbors are sent again, each with a Sync of its own.
 *
 * A statement that waits for a lock must not hold up the others: once nothing came for DB_STUCK_MS, everything in
 * flight goes to the plain connections, which find out which statement it is (db_slow()), and so do new reads, until
 * the pipeline has answered. If it does not, it is opened anew; its server process is told to end.
 */
#ifndef DB_PGREAD_H
#define DB_PGREAD_H

#include "db/conn/pgquery.h"

struct pgread;

struct pgread *pgread_new(struct db *db);
/* The queries it had are moved to *calls, unfinished. */
void pgread_free(struct pgread **read, struct pgquery_list *calls);
void pgread_start(struct pgread *read, struct pgquery *query);
void pgread_turn(struct pgread *read);
/* Every DB_SWEEP_MS while anything waits. */
void pgread_sweep(struct pgread *read);
/* It works, or the plain connections do its work for a moment. */
bool pgread_up(const struct pgread *read);
bool pgread_idle(const struct pgread *read);

#endif

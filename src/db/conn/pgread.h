/* SPDX-License-Identifier: ISC */
/*
 * The read pipeline: many statements of many tasks on one connection, one Sync per loop turn or 16 statements.
 *
 * An error aborts all later statements up to the next Sync; these are sent again, each with its own Sync.
 *
 * A statement that waits for a lock must not delay the others. If no result arrives for DB_STUCK_MS, all statements in
 * flight run again on plain connections, which detect the slow one (db_slow()). New reads use plain connections, too,
 * until the pipeline answers. If it does not answer, it is reopened, and its server process is ended.
 */
#ifndef DB_PGREAD_H
#define DB_PGREAD_H

#include "db/conn/pgquery.h"

struct pgread;

struct pgread *pgread_new(struct db *db);
/* Its unfinished queries are moved to *calls. */
void pgread_free(struct pgread **read, struct pgquery_list *calls);
void pgread_start(struct pgread *read, struct pgquery *query);
void pgread_turn(struct pgread *read);
/* Every DB_SWEEP_MS while anything waits. */
void pgread_sweep(struct pgread *read);
/* It works, or the plain connections temporarily do its work. */
bool pgread_up(const struct pgread *read);
bool pgread_idle(const struct pgread *read);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Plain connections: one statement at a time on each. Half of the budget stays open after a while, others are opened
 * when they are needed and closed after 60 s without use.
 *
 * One statement is one transaction; its caller gets the result after the commit. If the connection is lost meanwhile,
 * statements that are safe to repeat are repeated; others fail with PL_E_WRITE_UNKNOWN.
 *
 * Statements that wait for a lock must not occupy all connections: slow ones (db_slow()) leave the last connection to
 * quick ones, and half of the rest to other slow ones. If all connections are stuck and a quick query waits, the
 * statement that waits longest for a lock is canceled (PL_E_BUSY).
 */
#ifndef DB_PGPLAIN_H
#define DB_PGPLAIN_H

#include "db/conn/pgquery.h"

struct pgplain;

struct pgplain *pgplain_new(struct db *db, int budget);
void pgplain_free(struct pgplain **plain, struct pgquery_list *calls);
void pgplain_start(struct pgplain *plain, struct pgquery *query);
/* Opens the first connection now, for db->channel, and keeps it. */
void pgplain_listen(struct pgplain *plain);
/* The last attempt to connect did not fail. */
bool pgplain_up(const struct pgplain *plain);
/* Every DB_SWEEP_MS while anything waits. */
void pgplain_sweep(struct pgplain *plain);
bool pgplain_idle(const struct pgplain *plain);
/*
 * Called about once a second. Closes connections that were idle for a long time, but keeps half of the budget open. If
 * fewer are open, it opens one, except in clerk and courier.
 */
void pgplain_trim(struct pgplain *plain);

#endif

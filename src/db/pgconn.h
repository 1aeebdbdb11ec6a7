/* SPDX-License-Identifier: ISC */
/*
 * One libpq connection as events, always in pipeline mode: connect, prepare, send, sync, results in order, reconnect.
 *
 * It knows calls, not what they mean: the owner (pgread, pgplain, wgroup) decides what a result, an abort or a loss
 * does. Life: pgconn_new() ... pgconn_free(); in between it reconnects by itself, unless it was closed.
 */
#ifndef DB_PGCONN_H
#define DB_PGCONN_H

#include "db/pgcall.h"

struct pgconn;

/* All run from the event loop, never from inside pgconn_send() and pgconn_sync(). */
struct pgconn_ops {
	void (*ready)(void *arg);
	/*
	 * One result. call NULL: an error that belongs to no statement (a commit that failed). The call is the owner's
	 * again. Gives true to keep `res` (the owner clears it), false to have it cleared here.
	 */
	bool (*result)(void *arg, struct pgcall *call, PGresult *res);
	void (*synced)(void *arg);
	/*
	 * Lost, or an attempt to connect failed (was_ready false). in_flight: the owner's again, in the order they
	 * were sent.
	 */
	void (*lost)(void *arg, bool was_ready, struct pgcall_list *in_flight);
};

/*
 * label: "read", "write", "plain"; classes: bit mask (1 << enum stmt_class) of the statements to prepare. Opens at
 * once.
 */
struct pgconn *pgconn_new(struct db *db, const char *label, unsigned classes, const struct pgconn_ops *ops, void *arg);
/* Closes without telling anybody; the calls in flight are moved to *in_flight. */
void pgconn_free(struct pgconn **conn, struct pgcall_list *in_flight);
bool pgconn_ready(const struct pgconn *conn);
/* The last attempt failed and no later one worked: callers should fail fast. */
bool pgconn_away(const struct pgconn *conn);
/* Queues into libpq's buffer. false: the connection just broke, `lost` will follow, the call is still the owner's. */
bool pgconn_send(struct pgconn *conn, struct pgcall *call);
/* Ends the group of what was sent since the last sync. */
void pgconn_sync(struct pgconn *conn);
int pgconn_in_flight(const struct pgconn *conn);

#endif

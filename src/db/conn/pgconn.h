/* SPDX-License-Identifier: ISC */
/*
 * One libpq connection as events, always in pipeline mode: connect, send, sync, results in order, reconnect.
 *
 * It does not interpret queries: the owner (pgread, pgplain, wgroup) decides what a result, an abort, or a loss means.
 * Life: pgconn_new() ... pgconn_free(); in between it reconnects by itself, unless it was closed.
 *
 * A statement is prepared when it is first sent, not when the connection opens: preparing waits for the locks of the
 * tables that the statement names, and one locked table must not keep a new connection from serving the others.
 */
#ifndef DB_PGCONN_H
#define DB_PGCONN_H

#include "db/conn/pgquery.h"

struct pgconn;

/* All run from the event loop, never from inside pgconn_send() and pgconn_sync(). */
struct pgconn_ops {
	void (*ready)(void *arg);
	/*
	 * One result. query NULL: an error that belongs to no statement (a commit that failed). The query belongs to
	 * the owner again. Returns true to keep `res` (the owner clears it), false to have it cleared here.
	 */
	bool (*result)(void *arg, struct pgquery *query, PGresult *res);
	void (*synced)(void *arg);
	/*
	 * The connection was lost, or an attempt to connect failed (was_ready false). in_flight: queries that belong to
	 * the owner again, in the order in which they were sent.
	 */
	void (*lost)(void *arg, bool was_ready, struct pgquery_list *in_flight);
};

/* label: "read", "write", "plain". Opens at once. */
struct pgconn *pgconn_new(struct db *db, const char *label, const struct pgconn_ops *ops, void *arg);
/* Closes without callbacks; the queries in flight are moved to *in_flight. */
void pgconn_free(struct pgconn **conn, struct pgquery_list *in_flight);
/* payload NULL: the connection opened, so notifications may have been missed. */
typedef void (pgconn_notice_fn)(void *arg, const char *payload);
/* It listens to this channel (a literal), from its next start on. Called before it opens. */
void pgconn_listen(struct pgconn *conn, const char *channel, pgconn_notice_fn *fn, void *arg);
bool pgconn_ready(const struct pgconn *conn);
/* The last attempt failed: callers should fail at once. */
bool pgconn_away(const struct pgconn *conn);
/* Queues into libpq's buffer. false: the connection broke, `lost` follows, and the query still belongs to the owner. */
bool pgconn_send(struct pgconn *conn, struct pgquery *query);
/* Ends the group of statements that were sent since the last sync. */
void pgconn_sync(struct pgconn *conn);
int pgconn_in_flight(const struct pgconn *conn);
/*
 * Called every DB_SWEEP_MS while anything is in flight. Counts how long the server has been silent. Reopens a
 * connection that exceeds db_statement_timeout plus db_answer_timeout: `lost` is called from here.
 */
void pgconn_tick(struct pgconn *conn);
/* How long statements have been in flight without any answer, in steps of DB_SWEEP_MS; 0: nothing is in flight. */
int pgconn_silent_ms(const struct pgconn *conn);
/* Process id of the server process; 0: not connected. */
int pgconn_pid(const struct pgconn *conn);
/*
 * The owner takes back the queries in flight that are not finished; their results will be dropped. For statements that
 * may run twice.
 */
void pgconn_take(struct pgconn *conn, struct pgquery_list *calls);
/* Closes a ready connection and opens it again at once: `lost` is called from here. why: for the log. */
void pgconn_renew(struct pgconn *conn, const char *why);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Connections without a server, which replace src/db/conn/pgconn.c and define all its functions.
 *
 * The test opens, answers, and breaks each connection, and sees what was sent on it: the names of statements (messages
 * as "APPEND 7: a b", lookups of names as "USER_NAMES 1 2"), and "|" for each Sync.
 */
#ifndef FAKE_PGCONN_H
#define FAKE_PGCONN_H

#include "db/conn/pgconn.h"
#include "db/db_int.h"

#define FAKE_CONNS 8
#define FAKE_SENT 8192

struct fake_conn;

/* A database of a worker with this many plain connections; time stands still except for fake_db_skip_ms(). */
extern struct db *fake_db;
void fake_db_setup(int plain);
void fake_db_teardown(void);
void fake_db_skip_ms(int64_t ms);
/* Ends a loop turn, and runs what was deferred to a later one. */
void fake_db_turn(void);
/* What runs every DB_SWEEP_MS. */
void fake_db_sweep(void);

/* The nth connection (from 0) with that label that is not freed; NULL: none. */
struct pgconn *fake_conn(const char *label, int nth);
/* The connection is ready, or an attempt to connect has failed. */
void fake_conn_open(struct pgconn *conn);
void fake_conn_refuse(struct pgconn *conn);
/* The connection breaks, with everything in flight. */
void fake_conn_lose(struct pgconn *conn);
/* Its next pgconn_send() fails: it breaks at the next fake_db_turn(). */
void fake_conn_break_send(struct pgconn *conn);
/* The result of the oldest statement in flight. */
void fake_conn_answer(struct pgconn *conn, PGresult *res);
/* An error without a statement: the commit failed. */
void fake_conn_commit_fails(struct pgconn *conn, const char *sqlstate);
/* The oldest Sync is complete. */
void fake_conn_synced(struct pgconn *conn);
/* The connection has not answered for this time. */
void fake_conn_silent(struct pgconn *conn, int ms);
/* Asserts what was sent since the last call. */
void fake_conn_sent(struct pgconn *conn, const char *text);
/* A notification on the channel that it listens to. */
void fake_conn_notice(struct pgconn *conn, const char *payload);
/* How often it was closed and opened again by pgconn_renew(). */
int fake_conn_renewed(const struct pgconn *conn);

/* Results: no rows; one row with a number; an error; aborted by an error before it. */
PGresult *fake_done(void);
PGresult *fake_number(int64_t value);
PGresult *fake_error(const char *sqlstate);
PGresult *fake_aborted(void);
/* Rows of room_append(): per word of `statuses` ("ok ok conflict") one, with seq from first_seq on. */
PGresult *fake_appended(const char *statuses, int64_t first_seq);
/* Rows of USER_NAMES: words "ID:NAME:DISPLAY", where DISPLAY may be empty. */
PGresult *fake_names(const char *names);

#endif

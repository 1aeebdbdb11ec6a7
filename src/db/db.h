/* SPDX-License-Identifier: ISC */
/*
 * One process's way to PostgreSQL: a pipelined connection for reads, one for write groups, and a few plain ones.
 *
 * Everything is asynchronous. A repo_* function takes the task that asks, holds it, and calls `done(arg, result, err)`
 * exactly once, never before it returned: result in task->pool and err NULL, or result NULL and err. The deadline is
 * the task's. Errors that every repo_* function can give, beside those its comment names:
 *
 *   PL_E_DB_AWAY        no database now, nothing was done; retry_after_s is set
 *   PL_E_DEADLINE       the task's deadline (or statement_timeout) passed; a read, or a write that did not happen
 *   PL_E_WRITE_UNKNOWN  a write was sent and its outcome never came
 *   PL_E_BUSY           too much is waiting, or a row stayed locked; nothing was done
 *   PL_E_CANCELLED      the task was cancelled while this was waiting
 *   PL_E_STOPPING       db_free() came first
 *   PL_E_DB             the database refused the statement; logged here with statement name and SQLSTATE
 *
 * Texts handed in must be valid UTF-8 without U+0000, UUIDs well-formed (PL_BUG otherwise: callers validate input).
 * They are copied before the call returns. Times are microseconds since 1970 UTC; 0 = none. `done` may be NULL.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <event2/event.h>

#include "core/settings.h"
#include "core/shm.h"
#include "db/conn/shed.h"
#include "task.h"

struct db;

/* Texts in one page of messages that a client asked for, unless a single one is longer. */
#define DB_PAGE_BYTES (1 << 20)

/*
 * Starts connecting at once (workers) or at the first use (clerk and courier, which have one plain connection only).
 * config is held. shm may be NULL (tools and tests): no metrics, no boot key.
 */
struct db *db_new(struct event_base *base, struct shm *shm, const struct config *config, int slot);
/*
 * End-of-turn hook, for worker_on_turn(): one Sync for this turn's reads, the next write group when none is in flight.
 */
void db_turn(void *db);
/* Both standing connections work (clerk and courier: the last attempt worked). */
bool db_up(const struct db *db);
/* db_up(), and no connection has been silent so long that its server's process must hang. */
bool db_answers(const struct db *db);
/*
 * From now on this process keeps one plain connection open that listens to PostgreSQL's notifications on `channel` (a
 * literal), and fn(arg) runs in the loop when one came and when the connection opened: some may have been missed.
 */
void db_listen(struct db *db, const char *channel, void (*fn)(void *arg), void *arg);
/* Nothing is in flight or waiting. */
bool db_idle(const struct db *db);
/*
 * May one more be started, or would it wait too long (settings shed_age and shed_interval)? Asked before new work of a
 * client begins, never in the middle of it. false: it counts as refused, and *err is PL_E_BUSY with retry_after_s.
 */
bool db_admit(struct db *db, enum shed_way way, struct pl_err *err) PL_MUSTCHECK;
/* Is new work being refused because of overload? Cheap: no clock, no counting. */
bool db_overloaded(const struct db *db);
/* After a reload. What needs a restart stays as it was. */
void db_config(struct db *db, const struct config *config);
/* Completes what waits with PL_E_STOPPING (writes that were sent: PL_E_WRITE_UNKNOWN), closes, frees, clears *db. */
void db_free(struct db **db);

/* A write or check that gives nothing but its success: *result is true. */
typedef void (db_done_fn)(void *arg, const bool *result, const struct pl_err *err);
/* How many rows were touched. */
typedef void (db_count_fn)(void *arg, const int64_t *result, const struct pl_err *err);

#endif

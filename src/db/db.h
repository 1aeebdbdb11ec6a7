/* SPDX-License-Identifier: ISC */
/*
 * The PostgreSQL connections of a process: a pipelined one for reads, one for write groups, and a few plain ones.
 *
 * Everything is asynchronous. A repo_* function takes the task that asks, holds it, and calls `done(arg, result, err)`
 * exactly once, never before it returned: result in task->pool and err NULL, or result NULL and err. The deadline is
 * the task's. Every repo_* function can report these errors, besides those in its comment:
 *
 *   PL_E_DB_AWAY        no database now, nothing was done; retry_after_s is set
 *   PL_E_DEADLINE       the task's deadline (or statement_timeout) passed; a read, or a write that did not happen
 *   PL_E_WRITE_UNKNOWN  a write was sent and its outcome never came
 *   PL_E_BUSY           too much is waiting, or a row stayed locked; nothing was done
 *   PL_E_CANCELLED      the task was cancelled while this was waiting
 *   PL_E_STOPPING       db_free() was called first
 *   PL_E_DB             the database refused the statement; logged here with statement name and SQLSTATE
 *
 * Text arguments must be valid UTF-8 without U+0000, and UUIDs well-formed (otherwise PL_BUG: callers validate input).
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

/* Maximum bytes of text in a page of messages that a client requested, unless a single message is longer. */
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
/* Both permanent connections work (clerk and courier: the last attempt succeeded). */
bool db_up(const struct db *db);
/* db_up(), and no connection has been silent so long that its server process must hang. */
bool db_answers(const struct db *db);
/*
 * From now on, this process keeps a plain connection open that listens to notifications of PostgreSQL on `channel` (a
 * literal). fn(arg) runs in the loop for each notification, and when the connection opens, because notifications may
 * have been missed.
 */
void db_listen(struct db *db, const char *channel, void (*fn)(void *arg), void *arg);
/* Nothing is in flight or waiting. */
bool db_idle(const struct db *db);
/*
 * Returns whether new work may start, or would wait too long (settings shed_age and shed_interval). Called before new
 * work of a client starts, never in the middle of it. false: it counts as refused, and *err is PL_E_BUSY with
 * retry_after_s.
 */
bool db_admit(struct db *db, enum shed_way way, struct pl_err *err) PL_MUSTCHECK;
/* Returns whether new work is refused because of overload. Cheap: reads no clock and counts nothing. */
bool db_overloaded(const struct db *db);
/* Called after a reload. Settings that need a restart keep their values. */
void db_config(struct db *db, const struct config *config);
/*
 * Completes waiting work with PL_E_STOPPING (sent writes: PL_E_WRITE_UNKNOWN), closes and frees everything, clears *db.
 */
void db_free(struct db **db);

/* Completion of a write or check without a value: *result is true. */
typedef void (db_done_fn)(void *arg, const bool *result, const struct pl_err *err);
/* Completion with the number of affected rows. */
typedef void (db_count_fn)(void *arg, const int64_t *result, const struct pl_err *err);

#endif

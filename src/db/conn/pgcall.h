/* SPDX-License-Identifier: ISC */
/*
 * One statement with its parameters on its way to PostgreSQL and back.
 *
 * Life: pgcall_new() by a repo function; parameters in the order of the statement's args; pgcall_start() gives it to
 * the connection of its class. `finish` runs exactly once, from the event loop; the call itself is freed when libpq is
 * done with it, which may be later (a result that came after the deadline is dropped).
 */
#ifndef DB_PGCALL_H
#define DB_PGCALL_H

#include <libpq-fe.h>
#include <sys/queue.h>

#include "db/db.h"
#include "db/stmts.h"

#define PGCALL_ARGS_MAX 24

struct pgcall;
TAILQ_HEAD(pgcall_list, pgcall);

/* res: the rows, freed after the call; or NULL and err. */
typedef void (pgcall_fn)(struct pgcall *call, const PGresult *res, const struct pl_err *err);
typedef void (pgcall_done_fn)(void);	/* the caller's completion; the repo function casts it back */

/* Locks are taken in this order; within a rank by a, then b. Rooms come before all of them. */
enum pgcall_rank { PGCALL_ALONE, PGCALL_GENERATION, PGCALL_SESSION };
struct pgcall_place { enum pgcall_rank rank; int64_t a, b, number; };

struct pgcall {
	TAILQ_ENTRY(pgcall) active;	/* db->active until it is finished */
	TAILQ_ENTRY(pgcall) link;	/* in `queue`, or in a connection's list once it was sent */
	struct pgcall_list *queue;	/* where it waits; NULL once it was sent */
	struct db *db;
	struct pl_pool *pool;		/* the call lives in it */
	struct pl_task *task;		/* held; NULL: internal (no deadline) */
	const struct stmt *stmt;
	pgcall_fn *finish;
	pgcall_done_fn *done;
	void *arg;
	void *extra;			/* the repo function's own, in call->pool */
	int64_t started_ns;
	enum shed_way way;		/* of `work`, as it was at the start */
	struct shed_work work;
	bool finished, sent, solo;
	struct pgcall_place place;	/* among the calls of its group; number: when it came */
	bool preparing;			/* sent, and the result of preparing its statement comes first */
	int tries;
	struct pl_err fail;		/* what a call that could not start will be told */
	int count;			/* parameters so far */
	const char *values[PGCALL_ARGS_MAX];
	int lengths[PGCALL_ARGS_MAX];
};

struct pgcall *pgcall_new(
    struct db *db, struct pl_task *task, enum stmt_id stmt, pgcall_fn *finish, pgcall_done_fn *done, void *arg);
/* Parameters, in order; the letter in stmts.def must fit (PL_BUG). Texts are copied; absent = NULL. */
void pgcall_i64(struct pgcall *call, int64_t value);
void pgcall_i64_or_null(struct pgcall *call, int64_t value, int64_t null);	/* `null` is sent as NULL */
void pgcall_i32(struct pgcall *call, int32_t value);
void pgcall_i32_or_null(struct pgcall *call, int32_t value, int32_t null);
void pgcall_f64_or_null(struct pgcall *call, double value, bool null);
void pgcall_bool(struct pgcall *call, bool value);
void pgcall_bool_or_null(struct pgcall *call, int value);			/* < 0 is NULL */
void pgcall_text(struct pgcall *call, struct pl_str value);
void pgcall_cstr(struct pgcall *call, const char *value);
void pgcall_bytes(struct pgcall *call, const void *data, size_t bytes);
void pgcall_time(struct pgcall *call, int64_t wall_us);				/* 0 = NULL */
void pgcall_i64s(struct pgcall *call, const int64_t *values, int count, bool zero_is_null);
void pgcall_texts(struct pgcall *call, const struct pl_str *values, int count);
/*
 * It may share a transaction with others (pggroup.h): it locks rows of one generation or of one session alone, named by
 * a and b, and gives rows.
 */
void pgcall_group(struct pgcall *call, enum pgcall_rank rank, int64_t a, int64_t b);
/* Hands it to its connection. */
void pgcall_start(struct pgcall *call);

/* For the connections: tells the caller, at most once. The call stays allocated. */
void pgcall_finish(struct pgcall *call, const PGresult *res, const struct pl_err *err);
/* Finishes with PL_E_`code` and retry_after (0: none). */
void pgcall_fail(struct pgcall *call, enum pl_code code, int retry_after_s);
/* Fails it from a later turn and frees it; it must be in no list. */
void pgcall_fail_later(struct pgcall *call, enum pl_code code, int retry_after_s);
/* A finished call that takes the place of `call` in a connection, so that the result is dropped when it comes. */
struct pgcall *pgcall_ghost(const struct pgcall *call);
/* Frees a finished call. Clears *call. */
void pgcall_free(struct pgcall **call);

#endif

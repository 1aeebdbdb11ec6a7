/* SPDX-License-Identifier: ISC */
/*
 * A statement with its parameters, from the request to the result.
 *
 * Life: pgquery_new() by a repo function; parameters in the order of the statement's args; pgquery_start() gives it to
 * the connection of its class. `finish` runs exactly once, from the event loop; the query is freed when libpq no longer
 * needs it, which may be later (a result after the deadline is dropped).
 */
#ifndef DB_PGQUERY_H
#define DB_PGQUERY_H

#include <libpq-fe.h>
#include <sys/queue.h>

#include "db/db.h"
#include "db/stmts.h"

#define PGQUERY_ARGS_MAX 24

struct pgquery;
TAILQ_HEAD(pgquery_list, pgquery);

/* res: the rows, freed after the call; or NULL and err. */
typedef void (pgquery_fn)(struct pgquery *query, const PGresult *res, const struct pl_err *err);
typedef void (pgquery_done_fn)(void);	/* the caller's completion; the repo function casts it back */

/* Locks are taken in this order; within a rank, by a, then b. Locks of rooms come first. */
enum pgquery_rank { PGQUERY_ALONE, PGQUERY_GENERATION, PGQUERY_SESSION };
struct pgquery_place { enum pgquery_rank rank; int64_t a, b, number; };

struct pgquery {
	TAILQ_ENTRY(pgquery) active;	/* db->active until it is finished */
	TAILQ_ENTRY(pgquery) link;	/* in `queue`, or in a connection's list once it was sent */
	struct pgquery_list *queue;	/* where it waits; NULL once it was sent */
	struct db *db;
	struct pl_pool *pool;		/* the query lives in it */
	struct pl_task *task;		/* held; NULL: internal (no deadline) */
	const struct stmt *stmt;
	pgquery_fn *finish;
	pgquery_done_fn *done;
	void *arg;
	void *extra;			/* belongs to the repo function, in query->pool */
	int64_t started_ns;
	uint64_t name_changes;		/* db->name_changes at the start */
	enum shed_way way;		/* of `work`, as it was at the start */
	struct shed_work work;
	bool finished, sent, solo;
	bool audited;			/* what it changes is in the audit trail: pgquery_audited() */
	struct pgquery_place place;	/* order within its group; number: order of arrival */
	bool preparing;			/* sent, and the result of its PREPARE comes first */
	int tries;
	struct pl_err fail;		/* the error of a query that could not start */
	int count;			/* parameters so far */
	const char *values[PGQUERY_ARGS_MAX];
	int lengths[PGQUERY_ARGS_MAX];
};

struct pgquery *pgquery_new(
    struct db *db, struct pl_task *task, enum stmt_id stmt, pgquery_fn *finish, pgquery_done_fn *done, void *arg);
/* Parameters, in order; each must match its letter in stmts.def (else PL_BUG). Texts are copied; absent = NULL. */
void pgquery_i64(struct pgquery *query, int64_t value);
void pgquery_i64_or_null(struct pgquery *query, int64_t value, int64_t null);	/* `null` is sent as NULL */
void pgquery_i32(struct pgquery *query, int32_t value);
void pgquery_i32_or_null(struct pgquery *query, int32_t value, int32_t null);
void pgquery_f64_or_null(struct pgquery *query, double value, bool null);
void pgquery_bool(struct pgquery *query, bool value);
void pgquery_bool_or_null(struct pgquery *query, int value);			/* < 0 is NULL */
void pgquery_text(struct pgquery *query, struct pl_str value);
void pgquery_cstr(struct pgquery *query, const char *value);
void pgquery_bytes(struct pgquery *query, const void *data, size_t bytes);	/* data NULL is NULL */
void pgquery_time(struct pgquery *query, int64_t wall_us);				/* 0 = NULL */
void pgquery_i64s(struct pgquery *query, const int64_t *values, int count, bool zero_is_null);
void pgquery_texts(struct pgquery *query, const struct pl_str *values, int count);
/*
 * Allows the query to share a transaction with others (pggroup.h). It must lock only rows of one generation or one
 * session, identified by a and b, and return rows.
 */
void pgquery_group(struct pgquery *query, enum pgquery_rank rank, int64_t a, int64_t b);
/*
 * What it changes is recorded in the audit trail: who asks, from where, and the request id of its task go before it in
 * the same transaction (sql/057_audit.sql, svc/account/audit.h). Not for READ.
 */
void pgquery_audited(struct pgquery *query);
/* Passes it to the connection of its class. */
void pgquery_start(struct pgquery *query);

/* For the connections: completes the query, at most once. The query stays allocated. */
void pgquery_finish(struct pgquery *query, const PGresult *res, const struct pl_err *err);
/* Finishes with PL_E_`code` and retry_after (0: none). */
void pgquery_fail(struct pgquery *query, enum pl_code code, int retry_after_s);
/* Fails it from a later turn and frees it; it must be in no list. */
void pgquery_fail_later(struct pgquery *query, enum pl_code code, int retry_after_s);
/* A finished query that replaces `query` in a connection, so that the late result is dropped. */
struct pgquery *pgquery_ghost(const struct pgquery *query);
/* Frees a finished query. Clears *query. */
void pgquery_free(struct pgquery **query);

#endif

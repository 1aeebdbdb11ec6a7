/* SPDX-License-Identifier: ISC */
/* pg_terminate_backend() and pg_cancel_backend(). Every role may use them on its own connections. */
#include "db/conn/backend.h"

#include "db/db_int.h"

static void on_ended(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
}

void backend_end(struct db *db, int pid, const char *name)
{
	struct pgquery *query;

	if (db->stopping)
		return;
	query = pgquery_new(db, NULL, S_BACKEND_END, on_ended, NULL, NULL);
	pgquery_i64(query, pid);
	pgquery_cstr(query, name);
	pgquery_start(query);
}

void backend_cancel(struct db *db, const int64_t *pids, int count, pgquery_fn *finish, void *arg)
{
	struct pgquery *query = pgquery_new(db, NULL, S_BACKEND_CANCEL, finish, NULL, arg);

	pgquery_i64s(query, pids, count, false);
	pgquery_start(query);
}

bool backend_is_call(const struct pgquery *query)
{
	enum stmt_id id = STMT_ID(query->stmt);

	return id == S_BACKEND_END || id == S_BACKEND_CANCEL;
}

/* SPDX-License-Identifier: ISC */
/*
 * pg_terminate_backend() and pg_cancel_backend(): every role may use them on its own connections.
 */
#include "db/conn/backend.h"

#include "db/db_int.h"

static void on_ended(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
}

void backend_end(struct db *db, int pid, const char *name)
{
	struct pgcall *call;

	if (db->stopping)
		return;
	call = pgcall_new(db, NULL, S_BACKEND_END, on_ended, NULL, NULL);
	pgcall_i64(call, pid);
	pgcall_cstr(call, name);
	pgcall_start(call);
}

void backend_cancel(struct db *db, const int64_t *pids, int count, pgcall_fn *finish, void *arg)
{
	struct pgcall *call = pgcall_new(db, NULL, S_BACKEND_CANCEL, finish, NULL, arg);

	pgcall_i64s(call, pids, count, false);
	pgcall_start(call);
}

bool backend_is_call(const struct pgcall *call)
{
	enum stmt_id id = STMT_ID(call->stmt);

	return id == S_BACKEND_END || id == S_BACKEND_CANCEL;
}

/* SPDX-License-Identifier: ISC */
/*
 * The server processes of our connections. They are ended or interrupted by statements on another connection.
 *
 * Cancel requests of libpq are not used, because they connect and wait; the server may also run on another machine.
 */
#ifndef DB_BACKEND_H
#define DB_BACKEND_H

#include "db/conn/pgquery.h"

/* Ends process `pid`, if its application_name is still `name`: its connection was closed here. */
void backend_end(struct db *db, int pid, const char *name);
/*
 * Of the processes `pids` that wait for a lock, cancels the statement of the one that began first. Until `finish`, no
 * other statement may be sent to any of them: it could be the one that is canceled.
 */
void backend_cancel(struct db *db, const int64_t *pids, int count, pgquery_fn *finish, void *arg);
/* A query of this file: it must never wait behind the query that it ends. */
bool backend_is_call(const struct pgquery *query);

#endif

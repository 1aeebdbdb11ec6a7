/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts for parlourctl: statements.
 */
#include "db/admin/db_export.h"

#include <stdio.h>
#include <string.h>

#include "db/admin/db_import_int.h"

/* *at NULL: from the begin, and then: the document is complete. */
static enum db_export_result next(struct db_import *db, const char *id, char **at, db_export_text_fn *text, void *arg,
    char why[512])
{
	const char *params[] = { id, *at };
	PGresult *res = PQexecParams(db->pg, "SELECT n.body, n.p_at FROM account_export_next($1::bigint, $2::jsonb) n",
	    PL_COUNT(params), NULL, params, NULL, NULL, 0);
	enum db_export_result result = DB_EXPORT_FAILED;

	pl_free(*at);
	*at = NULL;
	if (PQresultStatus(res) != PGRES_TUPLES_OK) {
		snprintf(why, 512, "the database reported an error: %.400s", PQresultErrorMessage(res));
	} else if (PQgetisnull(res, 0, 0)) {
		snprintf(why, 512, "the account was deleted during the export");
	} else {
		if (!PQgetisnull(res, 0, 1)) {
			*at = pl_new((size_t)PQgetlength(res, 0, 1) + 1);
			memcpy(*at, PQgetvalue(res, 0, 1), (size_t)PQgetlength(res, 0, 1));
		}
		result = text(arg, PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0)) ? DB_EXPORT_OK :
		    DB_EXPORT_UNWRITTEN;
	}
	PQclear(res);
	return result;
}

enum db_export_result db_export_account(struct db_import *db, const char *user, db_export_text_fn *text, void *arg,
    char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	enum db_export_result result = DB_EXPORT_FAILED;
	char *at = NULL;
	const char *id = migrate_value(db->pg, pool,
	    "WITH who AS (SELECT u.* FROM users u WHERE (" IS_MEANT("$1::text") ") AND u.deleted_at IS NULL) "
	    "SELECT (SELECT w.id::text FROM who w, LATERAL audit_add('account exported', 'user:' || w.id)) AS id",
	    1, &user, why);

	if (id != NULL && id[0] == '\0')
		result = DB_EXPORT_NOBODY;
	else if (id != NULL && migrate_exec(db->pg, "COMMIT; BEGIN", "commit", why))
		do {
			result = next(db, id, &at, text, arg, why);
		} while (result == DB_EXPORT_OK && at != NULL);
	pl_free(at);
	pl_pool_free(&pool);
	return result;
}

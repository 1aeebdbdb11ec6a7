/* SPDX-License-Identifier: ISC */
/*
 * The audit trail for parlourctl: statements.
 */
#include "db/admin/db_audit.h"

#include "db/admin/db_import_int.h"

bool db_audit_user(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	*text_r = migrate_value(db->pg, pool, "SELECT coalesce(CASE WHEN lower($1::text) = 'system' THEN '0' ELSE "
	    MEANT_ID("$1::text") "::text END, '')", 1, params, why);
	return *text_r != NULL;
}

bool db_audit_list(struct db_import *db, const struct audit_wanted *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->user_id, in->action, in->since, in->until, in->limit };

	*text_r = migrate_value(db->pg, pool,
	    "SELECT coalesce(string_agg(concat_ws(E'\\t', a.id, "
	    "to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), " WHEN("a.created_at") ", "
	    CLEAN("a.actor") ", " CLEAN("a.act") ", " CLEAN("coalesce(a.subject, '')") ", "
	    "coalesce(a.subject_user, ''), " CLEAN("coalesce(a.address, '')") ", "
	    CLEAN("coalesce(a.request_id, '')") ", "
	    CLEAN("coalesce(a.before::text, '')") ", " CLEAN("coalesce(a.after::text, '')") "), E'\\n' "
	    "ORDER BY a.id DESC), '') FROM (SELECT x.id, x.created_at, CASE WHEN x.actor_id = 0 THEN 'system' ELSE "
	    "coalesce(u.username, 'user:' || x.actor_id) END AS actor, x.action AS act, x.target AS subject, "
	    "t.username AS subject_user, x.address, x.request_id, x.before, x.after FROM audit x "
	    "LEFT JOIN users u ON u.id = x.actor_id "
	    "LEFT JOIN users t ON t.id = CASE WHEN x.target ~ '^user:[0-9]{1,18}$' "
	    "THEN substr(x.target, 6)::bigint END "
	    "WHERE ($1::bigint IS NULL OR x.actor_id = $1::bigint OR x.target = 'user:' || $1::bigint) "
	    "AND ($2::text IS NULL OR x.action = $2::text) "
	    "AND ($3::timestamptz IS NULL OR x.created_at >= $3::timestamptz) "
	    "AND ($4::timestamptz IS NULL OR x.created_at < $4::timestamptz) "
	    "ORDER BY x.id DESC LIMIT $5::integer + 1) a", 5, params, why);
	return *text_r != NULL;
}

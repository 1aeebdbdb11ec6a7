/* SPDX-License-Identifier: ISC */
/*
 * Lock-outs and rate limits for parlourctl: statements.
 */
#include "db/admin/db_limits.h"

#include "db/admin/db_import_int.h"

static bool text_of(struct db_import *db, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    const char **text_r, char why[512])
{
	*text_r = migrate_value(db->pg, pool, sql, count, params, why);
	return *text_r != NULL;
}

bool db_limits_user(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool, "SELECT coalesce((SELECT w.id || E'\\t' || w.username FROM users w WHERE w.id = "
	    MEANT_ID("$1::text") " AND w.deleted_at IS NULL), '')", 1, params, text_r, why);
}

bool db_limits_list(struct db_import *db, const char *user_id, const char *address, struct pl_pool *pool,
    const char **text_r, char why[512])
{
	const char *params[] = { user_id, address };

	return text_of(db, pool,
	    "SELECT coalesce(string_agg(concat_ws(E'\\t', l.kind, coalesce(l.class, ''), coalesce(l.user_id, 0), "
	    "coalesce(l.username, ''), coalesce(l.key_id, 0), coalesce(l.key_rate, ''), "
	    CLEAN("coalesce(l.address, '')") ", l.refused, "
	    "CASE l.kind WHEN 'lockout' THEN " WHEN("l.until") " ELSE '' END), E'\\n'), '') "
	    "FROM admin_limits($1::text, $2::text, " LIST_MAX ") l", 2, params, text_r, why);
}

bool db_limits_reset_user(struct db_import *db, const char *user_id, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { user_id };

	return text_of(db, pool,
	    "SELECT concat_ws(' ', audit_add('limits reset', 'user:' || $1::bigint), login_unlock($1::bigint), "
	    "(SELECT string_agg(l.id::text, ' ' ORDER BY l.id) FROM login_sessions l WHERE l.user_id = $1::bigint "
	    "AND l.kind = 'key' AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()))", 1, params, text_r, why);
}

bool db_limits_reset_address(struct db_import *db, const char *address, struct pl_pool *pool, char why[512])
{
	const char *params[] = { address }, *text;

	return text_of(db, pool, "SELECT coalesce(audit_add('limits reset', 'address:' || $1::text)::text, '')", 1,
	    params, &text, why);
}

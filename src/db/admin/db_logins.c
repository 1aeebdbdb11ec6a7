/* SPDX-License-Identifier: ISC */
/*
 * Login sessions for parlourctl: statements. Triggers record the changes in the audit trail, and notify the daemon.
 */
#include "db/admin/db_logins.h"

#include "db/admin/db_import_int.h"

bool db_logins_list(struct db_import *db, const struct logins_wanted *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->user, in->state, in->address, in->limit };

	*text_r = migrate_value(db->pg, pool,
	    "SELECT coalesce(string_agg(concat_ws(E'\\t', l.id, l.kind, l.username, " WHEN("l.created_at") ", coalesce("
	    WHEN("l.last_used_at") ", ''), CASE WHEN l.ended_at IS NOT NULL THEN concat_ws(' ', 'ended', "
	    WHEN("l.ended_at") ", '(' || l.end_reason || ')') WHEN l.disabled THEN 'account disabled' WHEN "
	    "l.expires_at = 'infinity' THEN 'never' ELSE " WHEN("l.expires_at") " END, "
	    CLEAN("coalesce(l.address, '')") ", " CLEAN("left(coalesce(l.name, l.user_agent, ''), 60)") "), E'\\n' "
	    "ORDER BY l.id DESC), '') FROM (SELECT s.*, u.username, u.disabled FROM login_sessions s "
	    "JOIN users u ON u.id = s.user_id WHERE ($1::text IS NULL OR s.user_id = " MEANT_ID("$1::text") ") "
	    "AND ($2::text = 'all' OR ($2::text = 'active') = (s.ended_at IS NULL AND s.expires_at > clock_timestamp() "
	    "AND NOT u.disabled)) "
	    "AND ($3::text IS NULL OR s.address = $3::text OR address_prefix(s.address) = $3::text) "
	    "ORDER BY s.id DESC LIMIT $4::integer + 1) l", 4, params, why);
	return *text_r != NULL;
}

bool db_logins_end(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { id };

	*text_r = migrate_value(db->pg, pool,
	    "WITH gone AS (UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = 'operator' "
	    "WHERE l.id = $1::bigint AND l.ended_at IS NULL AND l.expires_at > clock_timestamp() RETURNING l.user_id) "
	    "SELECT coalesce((SELECT u.username FROM gone g JOIN users u ON u.id = g.user_id), '')", 1, params, why);
	return *text_r != NULL;
}

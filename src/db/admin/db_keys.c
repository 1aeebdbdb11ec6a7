/* SPDX-License-Identifier: ISC */
/*
 * API keys for parlourctl: statements. Triggers record what they change in the audit trail.
 */
#include "db/admin/db_keys.h"

#include "db/admin/db_import_int.h"

static bool text_of(struct db_import *db, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    const char **text_r, char why[512])
{
	*text_r = migrate_value(db->pg, pool, sql, count, params, why);
	return *text_r != NULL;
}

bool db_keys_create(struct db_import *db, const struct new_key *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->user, in->name, in->prefix, in->hash, in->scopes, in->life_s, in->rate };

	return text_of(db, pool,
	    "WITH who AS (SELECT u.id FROM users u WHERE " IS_MEANT("$1::text") "), "
	    "made AS (SELECT n.* FROM who w, key_create(w.id, $2::text, $3::text, decode($4::text, 'hex'), "
	    "string_to_array($5::text, ' '), $6::bigint * 1000000, $7::text, NULL, 9223372036854775807, 0, 0) n) "
	    "SELECT coalesce((SELECT concat_ws(' ', made.status, made.id) FROM made), 'not_found')",
	    7, params, text_r, why);
}

bool db_keys_list(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool,
	    "SELECT format('%-8s  %-11s  %-20s  %-24s  %-19s  %-19s  %s', 'NUMBER', 'PREFIX', 'USER', 'SCOPES', "
	    "'LAST USED (UTC)', 'EXPIRES (UTC)', 'NAME') || E'\\n' || string_agg(format("
	    "'%-8s  %-11s  %-20s  %-24s  %-19s  %-19s  %s', k.id, k.key_prefix, k.username, "
	    "array_to_string(k.scopes, ' '), coalesce(" WHEN("k.last_used_at") ", 'never'), "
	    "coalesce(" WHEN("nullif(k.expires_at, 'infinity')") ", 'never'), " CLEAN("k.name") "), E'\\n' "
	    "ORDER BY k.id) || "
	    "CASE WHEN max(k.total) > count(*) THEN format(E'\\n(the first %s of %s keys; name a user)', "
	    "count(*), max(k.total)) ELSE '' END "
	    "FROM (SELECT l.*, u.username, count(*) OVER () AS total FROM login_sessions l "
	    "JOIN users u ON u.id = l.user_id WHERE l.kind = 'key' AND l.ended_at IS NULL "
	    "AND ($1::text IS NULL OR " IS_MEANT("$1") ") "
	    "ORDER BY l.id LIMIT " LIST_MAX ") k", 1, params, text_r, why);
}

bool db_keys_revoke(struct db_import *db, const char *key, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { key };

	return text_of(db, pool,
	    "WITH ended AS (UPDATE login_sessions l SET ended_at = clock_timestamp(), end_reason = 'operator' "
	    "WHERE l.kind = 'key' AND l.ended_at IS NULL "
	    "AND (l.id::text = $1::text OR l.key_prefix = $1) RETURNING l.id) SELECT count(*)::text FROM ended",
	    1, params, text_r, why);
}

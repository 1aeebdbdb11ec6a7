/* SPDX-License-Identifier: ISC */
/*
 * Accounts for parlourctl: statements. Triggers record what they change in the audit trail.
 */
#include "db/admin/db_users.h"

#include "db/admin/db_import_int.h"

#define MEANT "who AS (SELECT u.* FROM users u WHERE (" IS_MEANT("$1::text") ") AND u.deleted_at IS NULL)"

static bool text_of(struct db_import *db, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    const char **text_r, char why[512])
{
	*text_r = migrate_value(db->pg, pool, sql, count, params, why);
	return *text_r != NULL;
}

bool db_users_add(struct db_import *db, const struct new_user *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->username, in->email, in->name, in->password_hash, in->access };

	return text_of(db, pool,
	    "SELECT n.status FROM user_create($1::text, $2::text, $3::text, $4::text, $5::text) n, "
	    "LATERAL (SELECT CASE WHEN n.status = 'ok' THEN email_vouch(n.id) END) v", 5, params, text_r, why);
}

bool db_users_list(struct db_import *db, const char *match, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { match };

	return text_of(db, pool,
	    "SELECT format('%-8s  %-32s  %-8s  %-8s  %-19s  %s', 'NUMBER', 'USER', 'ACCESS', 'STATE', 'MADE (UTC)', "
	    "'E-MAIL') || E'\\n' || string_agg(format('%-8s  %-32s  %-8s  %-8s  %-19s  %s', u.id, u.username, "
	    "u.access, CASE WHEN u.disabled THEN 'disabled' ELSE 'active' END, " WHEN("u.created_at") ", "
	    CLEAN("u.email") "), E'\\n' ORDER BY lower(u.username)) || "
	    "CASE WHEN max(u.total) > count(*) THEN format("
	    "E'\\n(the first %s of %s accounts; give a part of the name)', count(*), max(u.total)) ELSE '' END "
	    "FROM (SELECT s.*, count(*) OVER () AS total FROM users s WHERE s.deleted_at IS NULL AND ($1::text IS NULL "
	    "OR strpos(lower(s.username), lower($1)) > 0 OR strpos(lower(s.email), lower($1)) > 0 "
	    "OR strpos(lower(s.name), lower($1)) > 0) ORDER BY lower(s.username) LIMIT " LIST_MAX ") u",
	    1, params, text_r, why);
}

bool db_users_show(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool,
	    "WITH " MEANT " SELECT (SELECT string_agg(format('%-13s %s', v.name, v.value), E'\\n' ORDER BY v.n) "
	    "FROM (VALUES (1, 'number', w.id::text), (2, 'user', w.username), (3, 'name', " CLEAN("w.name") "), "
	    "(4, 'e-mail', " CLEAN("w.email") " || CASE WHEN w.email_verified_at IS NULL THEN ' (not verified)' "
	    "ELSE '' END), (5, 'access', w.access), "
	    "(6, 'state', CASE WHEN w.disabled THEN 'disabled' ELSE 'active' END), "
	    "(7, 'password', CASE WHEN w.password_hash IS NULL THEN 'none' ELSE 'set' END), "
	    "(7.5, 'second factor', CASE WHEN w.second_factor THEN 'on' END), "
	    "(7.6, 'locked', (SELECT string_agg(format('from %s until %s', " CLEAN("l.prefix") ", "
	    WHEN("l.locked_until") "), ', ' ORDER BY l.prefix) FROM login_locks l WHERE l.user_id = w.id "
	    "AND l.locked_until > clock_timestamp())), "
	    "(8, 'made', " WHEN("w.created_at") "), "
	    "(9, 'logins', (SELECT count(*) FROM login_sessions l WHERE l.user_id = w.id AND l.ended_at IS NULL "
	    "AND l.expires_at > clock_timestamp())::text), "
	    "(10, 'last used', (SELECT " WHEN("max(l.last_used_at)") " FROM login_sessions l WHERE l.user_id = w.id))) "
	    "AS v (n, name, value) WHERE v.value IS NOT NULL) FROM who w", 1, params, text_r, why);
}

bool db_users_admin(struct db_import *db, const char *user, const char *access, const char *disabled,
    struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user, access, disabled };

	return text_of(db, pool,
	    "WITH " MEANT ", did AS (SELECT w.id, n.* FROM who w, user_admin(w.id, $2::text, $3::boolean) n) "
	    "SELECT coalesce((SELECT CASE WHEN did.status = 'ok' THEN cardinality(did.ended)::text ELSE did.status END "
	    "FROM did), 'not_found')", 3, params, text_r, why);
}

bool db_users_password(struct db_import *db, const char *user, const char *hash, struct pl_pool *pool,
    const char **text_r, char why[512])
{
	const char *params[] = { user, hash };

	return text_of(db, pool,
	    "WITH " MEANT ", did AS (SELECT w.id, n.* FROM who w, user_password(w.id, $2::text, 0) n) "
	    "SELECT coalesce((SELECT cardinality(did.ended)::text FROM did WHERE did.status = 'ok'), 'not_found')",
	    2, params, text_r, why);
}

bool db_users_no_mfa(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool,
	    "WITH " MEANT ", did AS (SELECT w.id, second_factor_remove(w.id) AS had FROM who w), "
	    "ended AS (SELECT logins_end(did.id, 0, 'all', 'second factor') AS ids FROM did WHERE did.had) "
	    "SELECT coalesce((SELECT cardinality(ended.ids)::text FROM ended), (SELECT 'none' FROM did), 'not_found')",
	    1, params, text_r, why);
}

bool db_users_unlock(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool,
	    "WITH " MEANT " SELECT coalesce((SELECT login_unlock(w.id)::text FROM who w), 'not_found')", 1, params,
	    text_r, why);
}

bool db_users_logout(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { user };

	return text_of(db, pool,
	    "WITH " MEANT ", did AS (SELECT w.id, logins_end(w.id, 0, 'all', 'operator') AS ended FROM who w) "
	    "SELECT coalesce((SELECT cardinality(did.ended)::text FROM did), 'not_found')", 1, params, text_r, why);
}

bool db_users_delete(struct db_import *db, const char *user, const char *erase, struct pl_pool *pool,
    const char **text_r, char why[512])
{
	const char *params[] = { user, erase };

	return text_of(db, pool,
	    "WITH " MEANT ", did AS (SELECT w.id, n.* FROM who w, account_delete(0, w.id, $2::boolean) n) "
	    "SELECT coalesce((SELECT CASE WHEN did.status = 'ok' THEN cardinality(did.ended)::text ELSE did.status END "
	    "FROM did), 'not_found')", 2, params, text_r, why);
}

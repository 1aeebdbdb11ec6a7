/* SPDX-License-Identifier: ISC */
/*
 * Invites for parlourctl: statements.
 */
#include "db/admin/db_invites.h"

#include "db/admin/db_import_int.h"

static bool text_of(struct db_import *db, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    const char **text_r, char why[512])
{
	*text_r = migrate_value(db->pg, pool, sql, count, params, why);
	return *text_r != NULL;
}

bool db_invites_create(struct db_import *db, const struct new_invite *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->room, in->level, in->uses, in->seconds, in->note, in->sha256 };

	return text_of(db, pool,
	    "SELECT n.status || coalesce(' ' || n.id, '') FROM invite_create(NULL, $1::bigint, $2::text, "
	    "coalesce($3::integer, 1), coalesce($4::bigint, 604800), $5::text, decode($6::text, 'hex'), 'admin', 1) n",
	    6, params, text_r, why);
}

bool db_invites_list(struct db_import *db, const char *access, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { access };

	return text_of(db, pool,
	    "SELECT coalesce(format('%-8s  %-8s  %-11s  %-19s  %-32s  %-8s  %-9s  %s', 'NUMBER', 'STATE', 'USED', "
	    "'EXPIRES (UTC)', 'CREATED BY', 'ROOM', 'LEVEL', 'NOTE') || E'\\n' || string_agg(format("
	    "'%-8s  %-8s  %-11s  %-19s  %-32s  %-8s  %-9s  %s', i.id, invite_state(i.invite, $1::text), "
	    "i.uses || ' of ' || i.max_uses, " WHEN("i.expires_at") ", coalesce(u.username, '(operator)'), "
	    "coalesce(i.room_id::text, '-'), coalesce(i.level, '-'), " CLEAN("i.note") "), E'\\n' ORDER BY i.id DESC), "
	    "'') "
	    "FROM (SELECT s.*, s AS invite FROM invites s ORDER BY s.id DESC LIMIT " LIST_MAX ") i "
	    "LEFT JOIN users u ON u.id = i.creator_id", 1, params, text_r, why);
}

bool db_invites_revoke(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { id };

	return text_of(db, pool, "SELECT invite_revoke($1::bigint, NULL)", 1, params, text_r, why);
}

/* SPDX-License-Identifier: ISC */
/* Checks version, schema, durability, and connections of the database before the daemon forks. */
#include <stdlib.h>

#include "db/admin/migrate_int.h"

enum { SERVER_VERSION_MIN = 150000 };

static bool schema_fits(PGconn *pg, struct pl_pool *pool, char why[512])
{
	const char *there = migrate_value(pg, pool, "SELECT to_regclass('schema_migrations')", 0, NULL, why);
	const char *text;
	long version;

	if (there == NULL)
		return false;
	if (there[0] == '\0') {
		snprintf(why, 512, "the database has no schema yet: run parlourctl migrate");
		return false;
	}
	text = migrate_value(pg, pool, "SELECT coalesce(max(version), 0) FROM schema_migrations", 0, NULL, why);
	if (text == NULL) {
		snprintf(why, 512, "role %s may not read the schema: run parlourctl initdb, then parlourctl migrate",
		    PQuser(pg));
		return false;
	}
	version = strtol(text, NULL, 10);
	if (version == MIGRATE_VERSION)
		return true;
	if (version < MIGRATE_VERSION)
		snprintf(why, 512, "the schema has version %ld, this program needs %d: run parlourctl migrate", version,
		    MIGRATE_VERSION);
	else
		snprintf(why, 512,
		    "the schema has version %ld, newer than this program's %d: install the newer parlourd", version,
		    MIGRATE_VERSION);
	return false;
}

static bool writes_last(PGconn *pg, struct pl_pool *pool, bool unsafe, char why[512])
{
	const char *off = migrate_value(pg, pool,
	    "SELECT coalesce(string_agg(name || ' = ' || setting, ', '), '') FROM pg_settings "
	    "WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'",
	    0, NULL, why);
	const char *standby =
	    migrate_value(pg, pool, "SELECT CASE WHEN pg_is_in_recovery() THEN 'yes' END", 0, NULL, why);

	if (off == NULL || standby == NULL)
		return false;
	if (standby[0] != '\0') {
		snprintf(why, 512,
		    "the server is a standby and cannot be written to (target_session_attrs=read-write chooses "
		    "the primary of several hosts)");
		return false;
	}
	if (off[0] != '\0' && !unsafe) {
		snprintf(why, 512,
		    "PostgreSQL has %s: a crash would lose acknowledged messages (db_unsafe = on to start anyway)",
		    off);
		return false;
	}
	return true;
}

static bool connections_fit(PGconn *pg, struct pl_pool *pool, int64_t wanted, char why[512])
{
	const char *text = migrate_value(pg, pool,
	    "SELECT setting::integer - (SELECT setting::integer FROM pg_settings "
	    "WHERE name = 'superuser_reserved_connections') FROM pg_settings WHERE name = 'max_connections'",
	    0, NULL, why);
	long most;

	if (text == NULL)
		return false;
	most = strtol(text, NULL, 10);
	if (wanted <= most)
		return true;
	snprintf(why, 512, "db_connections = %lld, but PostgreSQL has %ld for ordinary roles (max_connections less "
	    "superuser_reserved_connections): lower db_connections or raise max_connections", (long long)wanted, most);
	return false;
}

enum migrate_result migrate_check(const struct config *config, char why[512])
{
	PGconn *pg = migrate_connect(config->s.db, "parlourd check", why);
	struct pl_pool *pool;
	bool good = false;
	int version;

	if (pg == NULL)
		return MIGRATE_AWAY;
	pool = pl_pool_new(0);
	version = PQserverVersion(pg);
	if (version < SERVER_VERSION_MIN)
		snprintf(why, 512, "PostgreSQL %d is too old: 15 or newer is needed", version / 10000);
	else
		good = schema_fits(pg, pool, why) && writes_last(pg, pool, config->s.db_unsafe, why) &&
		    connections_fit(pg, pool, config->s.db_connections, why);
	pl_pool_free(&pool);
	PQfinish(pg);
	return good ? MIGRATE_OK : MIGRATE_SCHEMA;
}

/* SPDX-License-Identifier: ISC */
/* Applies missing migrations: lock -> compare -> each file in a separate transaction -> views and grants. */
#include "db/admin/migrate.h"

#include <stdlib.h>

#include "db/admin/db_admin.h"
#include "db/admin/migrate_int.h"

/* An arbitrary number that all programs that change this schema share. */
#define LOCK_SQL "SELECT pg_advisory_lock(7226917032013)"

static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT "
    "NULL, "
    "applied_at timestamptz NOT NULL DEFAULT clock_timestamp());"
    "COMMENT ON TABLE schema_migrations IS 'Which files of sql/ were applied';"
    "COMMENT ON COLUMN schema_migrations.version IS 'Number of the file';"
    "COMMENT ON COLUMN schema_migrations.name IS 'Name of the file';"
    "COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of the file as it was applied';"
    "COMMENT ON COLUMN schema_migrations.applied_at IS 'When'";

struct run {
	PGconn *pg;
	struct pl_pool *pool;
	struct migrate_file files[MIGRATE_FILES_MAX];
	int count;
	bool dry_run;
	FILE *out;
	char *why;
};

/*
 * Checks whether this file was applied without change. 1: yes, 0: no, -1: it was changed, or the query failed (`why` is
 * set).
 */
static int applied(struct run *run, const struct migrate_file *file)
{
	const char *version = pl_sprintf(run->pool, "%d", file->version);
	const char *sum = migrate_value(run->pg, run->pool,
	    "SELECT checksum FROM schema_migrations WHERE version = $1::integer", 1, &version, run->why);

	if (sum == NULL)
		return -1;
	if (sum[0] == '\0')
		return 0;
	if (strcmp(sum, file->checksum) == 0)
		return 1;
	snprintf(run->why, 512, "%s was changed after it was applied to this database; applied files never change",
	    file->name);
	return -1;
}

static bool apply(struct run *run, const struct migrate_file *file)
{
	const char *sql = file->sql;
	bool good;

	if (file->version > 0)		/* in the same transaction; names and checksums contain no quotes */
		sql = pl_sprintf(run->pool,
		    "%s;\nINSERT INTO schema_migrations (version, name, checksum) VALUES (%d, '%s', '%s')", file->sql,
		    file->version, file->name, file->checksum);
	good = migrate_exec(run->pg, "BEGIN", "begin", run->why) && migrate_exec(run->pg, sql, file->name, run->why) &&
	    migrate_exec(run->pg, "COMMIT", "commit", run->why);
	if (good)
		fprintf(run->out, "applied %s\n", file->name);
	return good;
}

static enum migrate_result apply_all(struct run *run)
{
	int pending = 0;

	for (int i = 0; i < run->count; i++) {
		const struct migrate_file *file = &run->files[i];

		if (file->version > 0) {
			int known = applied(run, file);

			if (known < 0)
				return MIGRATE_SCHEMA;
			if (known > 0)
				continue;
			pending++;
		}
		if (run->dry_run)
			fprintf(run->out, "to apply: %s\n", file->name);
		else if (!apply(run, file))
			return MIGRATE_FAILED;
	}
	fprintf(run->out, pending == 0 ? "schema version %d, nothing to do\n" : "schema version %d\n", MIGRATE_VERSION);
	return MIGRATE_OK;
}

/* A dry run on a database without a schema: there is no table to compare with, and none is created. */
static enum migrate_result plan_fresh(struct run *run)
{
	for (int i = 0; i < run->count; i++)
		fprintf(run->out, "to apply: %s\n", run->files[i].name);
	return MIGRATE_OK;
}

static enum migrate_result with_lock(struct run *run)
{
	const char *known =
	    migrate_value(run->pg, run->pool, "SELECT to_regclass('schema_migrations')", 0, NULL, run->why);
	const char *newest;

	if (known == NULL)
		return MIGRATE_FAILED;
	if (known[0] == '\0' && run->dry_run)
		return plan_fresh(run);
	if (known[0] == '\0' && !migrate_exec(run->pg, table_sql, "schema_migrations", run->why))
		return MIGRATE_FAILED;
	newest = migrate_value(
	    run->pg, run->pool, "SELECT coalesce(max(version), 0) FROM schema_migrations", 0, NULL, run->why);
	if (newest == NULL)
		return MIGRATE_FAILED;
	if (strtol(newest, NULL, 10) > MIGRATE_VERSION) {
		snprintf(run->why, 512,
		    "the schema has version %s, newer than this program's %d: use the newer parlourctl", newest,
		    MIGRATE_VERSION);
		return MIGRATE_SCHEMA;
	}
	return apply_all(run);
}

enum migrate_result migrate_run(const char *dsn, const char *sql_dir, bool dry_run, FILE *out, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	struct run *run = pl_alloc(pool, sizeof(*run));
	enum migrate_result result = MIGRATE_SCHEMA;
	char where[256];

	*run = (struct run){ .pool = pool, .dry_run = dry_run, .out = out, .why = why };
	run->count = migrate_files(pool, sql_dir, run->files, why);
	if (run->count > 0) {
		run->pg = migrate_connect(dsn, "parlourctl migrate", why);
		result = MIGRATE_AWAY;
	}
	if (run->pg != NULL) {
		db_admin_where(dsn, where);
		fprintf(out, "database %s\n", where);
		result = MIGRATE_FAILED;
		if (migrate_exec(run->pg, LOCK_SQL, "lock", why))
			result = with_lock(run);
		PQfinish(run->pg);
	}
	pl_pool_free(&pool);
	return result;
}

/* SPDX-License-Identifier: ISC */
/*
 * Shared by the synchronous database commands: connecting, one-value queries, the files of sql/.
 */
#ifndef DB_MIGRATE_INT_H
#define DB_MIGRATE_INT_H

#include <libpq-fe.h>

#include "db/admin/migrate.h"

#define MIGRATE_FILES_MAX 1000

struct migrate_file {
	int version;			/* 0: applied again every time */
	const char *name;		/* "001_schema.sql" */
	const char *sql;
	char checksum[65];		/* SHA-256, hex */
};

/* Connects; NULL and why[] without passwords. `name`: application_name. */
PGconn *migrate_connect(const char *dsn, const char *name, char why[512]) PL_MUSTCHECK;
/* Runs statements without result; false and why[] "`what`, line 12: ...". */
bool migrate_exec(PGconn *pg, const char *sql, const char *what, char why[512]) PL_MUSTCHECK;
/* One value as text in pool; "" when NULL or no row; NULL and why[] on failure. params may be NULL. */
const char *migrate_value(PGconn *pg, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    char why[512]) PL_MUSTCHECK;
/*
 * The numbered files in order, then views.sql and grants.sql. -1 and why[]: unreadable directory, gap or double in the
 * numbers, missing file.
 */
int migrate_files(struct pl_pool *pool, const char *dir, struct migrate_file *files, char why[512]) PL_MUSTCHECK;

#endif

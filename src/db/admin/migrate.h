/* SPDX-License-Identifier: ISC */
/*
 * Schema migrations, forward only; synchronous, for parlourctl and for the daemon's check before it forks.
 *
 * sql/NNN_name.sql is one version and one transaction; files named grants.sql and views.sql have no version and are
 * applied again after every run. schema_migrations holds version, name, SHA-256, time. An advisory lock prevents two
 * migrations at the same time.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stdbool.h>
#include <stdio.h>

#include "core/settings.h"

/* The schema this program is written for. */
#define MIGRATE_VERSION 85

enum migrate_result {
	MIGRATE_OK = 0,
	MIGRATE_AWAY = 69,	/* no connection */
	MIGRATE_FAILED = 70,	/* a file failed and was rolled back */
	MIGRATE_SCHEMA = 78	/* checksum differs, unknown version, files missing, settings unusable */
};

/* Directory of the .sql files: $PARLOUR_SQL_DIR, or `fallback`. */
const char *migrate_dir(const char *fallback);
/*
 * Applies the missing files, in order; with dry_run, only prints them. dsn: libpq connection string of the owner of the
 * schema. Progress goes to out. Not OK: why[] has a sentence, never a password.
 */
enum migrate_result migrate_run(
    const char *dsn, const char *sql_dir, bool dry_run, FILE *out, char why[512]) PL_MUSTCHECK;
/*
 * The check of setting `db` before the daemon starts: server >= 15, schema exactly MIGRATE_VERSION (otherwise why[]
 * names the command to run), fsync and synchronous_commit on (unless db_unsafe), db_connections within max_connections
 * (figures in why[]), standby or not.
 */
enum migrate_result migrate_check(const struct config *config, char why[512]) PL_MUSTCHECK;

#endif

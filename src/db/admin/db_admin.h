/* SPDX-License-Identifier: ISC */
/*
 * Database commands of parlourctl, with synchronous libpq.
 */
#ifndef DB_DB_ADMIN_H
#define DB_DB_ADMIN_H

#include "db/admin/migrate.h"

struct initdb_opts {
	const char *dsn;		/* of a superuser or a role with CREATEDB and CREATEROLE; any database */
	const char *database;		/* to create: "parlour" */
	const char *app_password;	/* of parlour_app, or NULL: none (peer or trust) */
	const char *report_password;	/* of parlour_report, or NULL */
	bool print_only;		/* write the statements to out instead of running them (passwords as '...') */
};
/* Roles parlour_owner, parlour_app, parlour_report and the database, each only if missing. */
enum migrate_result db_admin_init(const struct initdb_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;
/*
 * Demo account, role `assistant` (default upstream and model) and public room `lobby`; repeatable. password_hash:
 * encoded Argon2id of the demo password. access: user or analyst. dsn: owner of the schema.
 */
enum migrate_result db_admin_seed_demo(const char *dsn, const char *username, const char *password_hash,
    const char *access, FILE *out, char why[512]) PL_MUSTCHECK;
/* "user@host:port/dbname" of a connection string, for people and logs; never a password. */
void db_admin_where(const char *dsn, char out[256]);

#endif

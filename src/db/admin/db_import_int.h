/* SPDX-License-Identifier: ISC */
/*
 * Shared by the database commands of parlourctl: a connection with one transaction, and the output format.
 */
#ifndef DB_DB_IMPORT_INT_H
#define DB_DB_IMPORT_INT_H

#include "db/admin/migrate_int.h"

struct db_import { PGconn *pg; };

/* Makes text of other people safe for a terminal. */
#define CLEAN(text) "regexp_replace(" text ", '[\\u0001-\\u001F\\u007F-\\u009F]', '?', 'g')"
/*
 * Returns whether u is the account with this login name or address. Login names contain no '@'; addresses do. Of
 * several accounts with the address, it is the one that has verified it, or none.
 */
#define IS_MEANT(name) "(lower(u.username) = lower(" name ") OR (lower(u.email) = lower(" name ") " \
	"AND (u.email_verified_at IS NOT NULL OR NOT EXISTS (SELECT FROM users o " \
	"WHERE lower(o.email) = lower(" name ") AND o.id <> u.id))))"
/* The number of the account that `name` means: its number, login name, or address. NULL: there is none. */
#define MEANT_ID(name) "(CASE WHEN " name " ~ '^[0-9]{1,18}$' " \
	"THEN (SELECT u.id FROM users u WHERE u.id = " name "::bigint) " \
	"ELSE (SELECT u.id FROM users u WHERE " IS_MEANT(name) ") END)"
#define LIST_MAX "1000"
#define WHEN(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"

#endif

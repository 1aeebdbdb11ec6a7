/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts for parlourctl: the document that the job account_export makes.
 */
#ifndef DB_DB_EXPORT_H
#define DB_DB_EXPORT_H

#include "db/admin/db_import.h"

/* false: it cannot be written; the export ends, and why[] of db_export_account() is left to the caller. */
typedef bool (db_export_text_fn)(void *arg, const char *text, size_t bytes);

enum db_export_result { DB_EXPORT_OK, DB_EXPORT_NOBODY, DB_EXPORT_FAILED, DB_EXPORT_UNWRITTEN };
/*
 * Records the export in the audit trail, commits that, and passes the document on in pieces of about 256 KiB. `user`:
 * as in db_users.h. FAILED: the database reported an error (why[]), or the account was deleted meanwhile.
 */
enum db_export_result db_export_account(struct db_import *db, const char *user, db_export_text_fn *text, void *arg,
    char why[512]) PL_MUSTCHECK;

#endif

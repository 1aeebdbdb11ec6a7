/* SPDX-License-Identifier: ISC */
/*
 * User names and display names by id, kept per process: a user's names never change, and looking one up per message
 * made a page of history three times as dear for PostgreSQL. Names of roles can change and are not kept.
 */
#ifndef DB_NAMES_H
#define DB_NAMES_H

#include "db/db_int.h"

/*
 * NULL when it is not known here. *display_r: the display name; absent: there is none. Borrowed until the next
 * db_name_put().
 */
const char *db_name_find(const struct db *db, int64_t user_id, struct pl_str *display_r);
void db_name_put(struct db *db, int64_t user_id, struct pl_str name, struct pl_str display);
void db_names_fini(struct db *db);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * User names by id, kept per process: a user's name never changes, and looking one up per message made a page of
 * history three times as dear for PostgreSQL. Names of roles can change and are not kept.
 */
#ifndef DB_NAMES_H
#define DB_NAMES_H

#include "db/db_int.h"

/* NULL when it is not known here. Borrowed until the next db_name_put(). */
const char *db_name_find(const struct db *db, int64_t user_id);
void db_name_put(struct db *db, int64_t user_id, struct pl_str name);
void db_names_fini(struct db *db);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * User names and display names by id, cached per process. A lookup per message made a page of history three times as
 * expensive for PostgreSQL, and a lock on users would delay all messages. author.c fills the table and receives
 * changes. Names of roles are not cached.
 */
#ifndef DB_NAMES_H
#define DB_NAMES_H

#include "db/db_int.h"

/* unsure: it may have changed in the meantime. */
enum db_name_state { DB_NAME_UNKNOWN, DB_NAME_UNSURE, DB_NAME_SURE };

enum db_name_state db_name_state(const struct db *db, int64_t user_id);
/*
 * NULL if it is not in the cache. *display_r: the display name; absent: there is none. Borrowed until the next
 * db_name_put().
 */
const char *db_name_find(const struct db *db, int64_t user_id, struct pl_str *display_r);
/* sure: a name with false does not replace one with true. */
void db_name_put(struct db *db, int64_t user_id, struct pl_str name, struct pl_str display, bool sure);
/* The user no longer exists. */
void db_name_drop(struct db *db, int64_t user_id);
/* The name of one user may have changed, or those of all. */
void db_name_doubt(struct db *db, int64_t user_id);
void db_names_doubt(struct db *db);
/* Ids of at most `most` names that are unsure, starting at *at, which it moves; at the end it is 0 again. */
int db_names_unsure(const struct db *db, size_t *at, int64_t *ids, int most);
void db_names_fini(struct db *db);

#endif

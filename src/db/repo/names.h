/* SPDX-License-Identifier: ISC */
/*
 * User names and display names by id, kept per process: looking one up per message made a page of history three times
 * as dear for PostgreSQL, and a lock on users would delay all messages. author.c fills the table and hears of changes.
 * Names of roles are not kept.
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
/* sure: false does not replace a name that is sure. */
void db_name_put(struct db *db, int64_t user_id, struct pl_str name, struct pl_str display, bool sure);
/* There is no such user any more. */
void db_name_drop(struct db *db, int64_t user_id);
/* The name of one user may have changed, or that of any. */
void db_name_doubt(struct db *db, int64_t user_id);
void db_names_doubt(struct db *db);
/* Ids of at most `most` names that are unsure, from the place *at on, which it moves; at the end it is 0 again. */
int db_names_unsure(const struct db *db, size_t *at, int64_t *ids, int most);
void db_names_fini(struct db *db);

#endif

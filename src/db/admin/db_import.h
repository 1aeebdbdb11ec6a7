/* SPDX-License-Identifier: ISC */
/*
 * Import for parlourctl: synchronous libpq, one transaction for a whole file.
 */
#ifndef DB_DB_IMPORT_H
#define DB_DB_IMPORT_H

#include "db/admin/migrate.h"
#include "str.h"

struct db_import;

/* NULL and why[] if there is no connection, or if the schema has another version than this program. */
struct db_import *db_import_open(const char *dsn, char why[512]) PL_MUSTCHECK;
/* Calls usage_import() or usage_series_import() with a JSON array; *count_r: how many were new (or changed). */
bool db_import_rows(struct db_import *import, bool series, struct pl_str rows, int64_t *count_r,
    char why[512]) PL_MUSTCHECK;
/*
 * Calls import_all() for kind user, role, room or message; lines and records are PostgreSQL array literals. on_outcome
 * is called for each record: new, known, or its error.
 */
typedef void (db_import_outcome_fn)(void *arg, const char *line, const char *outcome);
bool db_import_over(struct db_import *import, const char *source, const char *kind, struct pl_str lines,
    struct pl_str records, db_import_outcome_fn *on_outcome, void *arg, char why[512]) PL_MUSTCHECK;
struct import_document { const char *source, *title, *text, *sha256, *chunks, *language; };
/* Calls knowledge_put(); *fresh_r: the text is new. */
bool db_import_document(struct db_import *import, const struct import_document *in, bool *fresh_r,
    char why[512]) PL_MUSTCHECK;
/* Prices of models; days are texts YYYY-MM-DD, `from` NULL: today (set), every day (remove). Each gives one text. */
struct import_price { const char *upstream, *model, *prompt, *completion, *from; };
/* Calls price_set(). The text is the number of answers that got a cost. */
bool db_import_price(struct db_import *import, const struct import_price *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Calls price_remove(). The text is the number of removed prices. */
bool db_import_price_remove(struct db_import *import, const struct import_price *in, struct pl_pool *pool,
    const char **text_r, char why[512]) PL_MUSTCHECK;
/* A table for people, "" when it is empty. */
bool db_import_prices(struct db_import *import, struct pl_pool *pool, const char **text_r, char why[512]) PL_MUSTCHECK;
/* Commits (keep) or rolls back, closes the connection, and clears *import. */
bool db_import_close(struct db_import **import, bool keep, char why[512]) PL_MUSTCHECK;

#endif

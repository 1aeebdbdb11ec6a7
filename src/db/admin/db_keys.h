/* SPDX-License-Identifier: ISC */
/*
 * API keys for parlourctl: each call is one statement, and gives one text. `user` as in db_users.h.
 */
#ifndef DB_DB_KEYS_H
#define DB_DB_KEYS_H

#include "db/admin/db_import.h"

/* hash: of the key, in hex. scopes: words with blanks between. life_s "0": without an end. rate NULL: none. */
struct new_key { const char *user, *name, *prefix, *hash, *scopes, *life_s, *rate; };

/* "ok NUMBER", or a status of key_create(). */
bool db_keys_create(struct db_import *db, const struct new_key *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* A table of the keys that are not revoked, "" when it is empty. user NULL: of all users. */
bool db_keys_list(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* key: a number or a prefix. Gives the number of keys that it revoked. */
bool db_keys_revoke(struct db_import *db, const char *key, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;

#endif

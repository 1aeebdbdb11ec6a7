/* SPDX-License-Identifier: ISC */
/*
 * Invites for parlourctl: each call is one statement, and gives one text for people.
 */
#ifndef DB_DB_INVITES_H
#define DB_DB_INVITES_H

#include "db/admin/db_import.h"

/* Numbers as texts; NULL: not given. sha256: of the token, in hex. */
struct new_invite { const char *room, *level, *uses, *seconds, *note, *sha256; };

/* "ok NUMBER", or what invite_create() says. */
bool db_invites_create(struct db_import *db, const struct new_invite *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* A table, newest first, "" when it is empty; at most 1,000 invites. access: setting invite_access. */
bool db_invites_list(struct db_import *db, const char *access, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* "ok" or "not_found" */
bool db_invites_revoke(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Login sessions and API keys for parlourctl.
 */
#ifndef DB_DB_LOGINS_H
#define DB_DB_LOGINS_H

#include "db/admin/db_import.h"

/*
 * Lines of cells with tabs between them, newest first: number, kind, user, time of the login, last use, end, address,
 * name or program. user NULL: of all users. state: active, ended, or all. address NULL, or a client address, or a
 * network as lock-outs have it. One line more than the limit if there are more.
 */
struct logins_wanted { const char *user, *state, *address, *limit; };
bool db_logins_list(struct db_import *db, const struct logins_wanted *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Ends a login session or revokes an API key. The user's name, or "": no active one has this number. */
bool db_logins_end(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;

#endif

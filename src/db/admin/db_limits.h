/* SPDX-License-Identifier: ISC */
/*
 * Lock-outs and rate limits for parlourctl. The state of the rates is in the shared memory of the daemon.
 */
#ifndef DB_DB_LIMITS_H
#define DB_DB_LIMITS_H

#include "db/admin/db_import.h"

/* "NUMBER\tNAME" of an account, by number, login name, or e-mail address; "": there is no such account. */
bool db_limits_user(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/*
 * Lines of cells with tabs between them, see admin_limits(): lockout or rate, class, number and name of the user,
 * number and rate of the API key, address, refusals, end of the lock-out. user_id and address NULL: all.
 */
bool db_limits_list(struct db_import *db, const char *user_id, const char *address, struct pl_pool *pool,
    const char **text_r, char why[512]) PL_MUSTCHECK;
/* Ends the lock-outs of an account: "LOCKOUTS KEY...", the numbers of its API keys. Recorded. */
bool db_limits_reset_user(struct db_import *db, const char *user_id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Only records that the rates of an address are reset. */
bool db_limits_reset_address(struct db_import *db, const char *address, struct pl_pool *pool,
    char why[512]) PL_MUSTCHECK;

#endif

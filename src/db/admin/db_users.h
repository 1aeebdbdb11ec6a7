/* SPDX-License-Identifier: ISC */
/*
 * Accounts for parlourctl: each function runs one statement and returns one text for the operator. `user` is a user
 * name or an e-mail address, without regard to case.
 */
#ifndef DB_DB_USERS_H
#define DB_DB_USERS_H

#include "db/admin/db_import.h"

/* email, name: NULL when not given */
struct new_user { const char *username, *email, *name, *password_hash, *access; };

/* Calls user_create(): "ok", or the status that it returns. */
bool db_users_add(struct db_import *db, const struct new_user *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/*
 * A table by name; "" if it is empty. If there are more than 1,000 accounts, it has the first ones and the total. match
 * NULL: all.
 */
bool db_users_list(struct db_import *db, const char *match, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* A line per property, "" when there is no such account. */
bool db_users_show(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Each: "not_found", "last_admin", or the number of login sessions that it ended. NULL access, disabled: unchanged. */
bool db_users_admin(struct db_import *db, const char *user, const char *access, const char *disabled,
    struct pl_pool *pool, const char **text_r, char why[512]) PL_MUSTCHECK;
bool db_users_password(struct db_import *db, const char *user, const char *hash, struct pl_pool *pool,
    const char **text_r, char why[512]) PL_MUSTCHECK;
/* Removes the second factor, and ends the login sessions. The same, or "none": there was none. */
bool db_users_no_mfa(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Ends the locks after failed logins: "not_found", or their number. */
bool db_users_unlock(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Makes an account a tombstone, and queues the rest. erase: "true" or "false". */
bool db_users_delete(struct db_import *db, const char *user, const char *erase, struct pl_pool *pool,
    const char **text_r, char why[512]) PL_MUSTCHECK;
bool db_users_logout(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;

#endif

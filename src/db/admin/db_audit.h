/* SPDX-License-Identifier: ISC */
/*
 * The audit trail for parlourctl.
 */
#ifndef DB_DB_AUDIT_H
#define DB_DB_AUDIT_H

#include "db/admin/db_import.h"

/* Times in RFC 3339, the limit as a text; NULL: not given. */
struct audit_wanted { const char *user_id, *action, *since, *until, *limit; };

/*
 * The number of an account, by number, login name, or e-mail address; "0": the word system, "": there is no such
 * account.
 */
bool db_audit_user(struct db_import *db, const char *user, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/*
 * Lines of cells with tabs between them, newest first: number, time, time for people, actor, act, subject, name of the
 * subject, address, request id, before, after. One line more than the limit if there are more. user_id: as actor or as
 * subject.
 */
bool db_audit_list(struct db_import *db, const struct audit_wanted *in, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Shared by repo_invite.c and repo_user.c.
 */
#ifndef DB_REPO_INVITE_INT_H
#define DB_REPO_INVITE_INT_H

#include "db/conn/pgquery.h"
#include "db/repo/repo_invite.h"

/* Three parameters: hash of the token, access level, open. NULL: there is no invite. */
void repo_invite_rule(struct pgquery *query, const struct invite_rule *rule);

#endif

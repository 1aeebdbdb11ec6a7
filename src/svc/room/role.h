/* SPDX-License-Identifier: ISC */
/*
 * AI roles themselves: which ones can be, and their end.
 */
#ifndef SVC_ROLE_H
#define SVC_ROLE_H

#include "db/repo/repo_role.h"
#include "svc/svc.h"

/*
 * May a role have this name and upstream? Absent ones are not looked at. A name that cannot be mentioned because of its
 * characters is a good one: another is made from it for mentions. false: PL_E_INVALID with fields.
 */
bool role_valid(const struct config *config, struct pl_pool *pool, struct pl_str name, struct pl_str upstream,
    struct pl_err *err) PL_MUSTCHECK;
/* Errors: repo_role_delete(). In the audit trail. */
void role_delete(struct svc *svc, struct pl_task *task, int64_t role_id, db_done_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Validation and deletion of AI roles.
 */
#ifndef SVC_ROLE_H
#define SVC_ROLE_H

#include "db/repo/repo_role.h"
#include "svc/svc.h"

/*
 * Checks name and upstream of a role; absent ones are not checked. A name whose characters cannot be mentioned is
 * valid: a name for mentions is derived from it. false: PL_E_INVALID with fields.
 */
bool role_valid(const struct config *config, struct pl_pool *pool, struct pl_str name, struct pl_str upstream,
    struct pl_err *err) PL_MUSTCHECK;
/* Errors: repo_role_delete(). In the audit trail. */
void role_delete(struct svc *svc, struct pl_task *task, int64_t role_id, db_done_fn *done, void *arg);

#endif

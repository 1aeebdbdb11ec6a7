/* SPDX-License-Identifier: ISC */
/*
 * The audit trail (table audit). What changes rows is recorded in the same transaction, by triggers and functions of
 * sql/057_audit.sql; svc/account/audit.h says how.
 */
#ifndef DB_REPO_AUDIT_H
#define DB_REPO_AUDIT_H

#include "db/db.h"

struct pgquery;

/*
 * An act that changes no other row. target "user:7"; absent: none. after: a JSON object; absent: none. Who acts comes
 * from the task.
 */
void repo_audit_add(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target,
    struct pl_str after, db_done_fn *done, void *arg);
/* The same for what strangers can repeat: at most `most` are recorded per target and hour. */
void repo_audit_add_bounded(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target, int most,
    db_done_fn *done, void *arg);
/* For pgplain: the query that goes before an audited one. */
struct pgquery *repo_audit_caller(struct db *db, const struct pl_task *task);

#endif

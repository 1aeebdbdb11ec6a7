/* SPDX-License-Identifier: ISC */
/*
 * The audit trail (table audit). Triggers and functions of sql/057_audit.sql record each change of rows in its own
 * transaction; svc/account/audit.h describes how.
 */
#ifndef DB_REPO_AUDIT_H
#define DB_REPO_AUDIT_H

#include "db/db.h"

struct pgquery;

/*
 * An act that changes no other row. target "user:7"; absent: none. after: a JSON object; absent: none. The actor is the
 * caller of the task.
 */
void repo_audit_add(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target,
    struct pl_str after, db_done_fn *done, void *arg);
/* The same for acts that strangers can repeat: at most `most` are recorded per target and hour. */
void repo_audit_add_bounded(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target, int most,
    db_done_fn *done, void *arg);
struct audit_row {
	int64_t id, at_us, actor_id;			/* actor 0: the system, parlourctl, or a statement in psql */
	struct pl_str actor, act, subject, subject_user;	/* absent: none, or the account was deleted */
	struct pl_str address, request_id, before, after;	/* absent: none; before, after: JSON */
};
struct audit_list { const struct audit_row *rows; int count; bool more; };
typedef void (repo_audit_list_fn)(void *arg, const struct audit_list *list, const struct pl_err *err);
struct audit_ask {
	struct pl_str actor;		/* name, number, or "system"; absent: any, like the next two */
	struct pl_str act, subject;
	int64_t since_us, until_us;	/* 0: any */
	int64_t before;			/* ids below this one; 0: from the newest */
	int limit;
};
/* Newest first. */
void repo_audit_list(struct db *db, struct pl_task *task, const struct audit_ask *ask, repo_audit_list_fn *done,
    void *arg);
/* For pgplain: the query that is sent before an audited one. */
struct pgquery *repo_audit_caller(struct db *db, const struct pl_task *task);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts (tables account_exports, account_export_parts).
 */
#ifndef DB_REPO_EXPORT_H
#define DB_REPO_EXPORT_H

#include "db/db.h"

enum export_state { EXPORT_QUEUED, EXPORT_RUNNING, EXPORT_DONE, EXPORT_FAILED };
extern const char *const export_state_words[];

struct export {
	struct pl_str id;		/* UUID */
	enum export_state state;
	int64_t created_us, finished_us;	/* finished_us 0: not complete */
	int parts;
	int64_t bytes;			/* of the document so far */
	int64_t wait_us;		/* with refused: until the next request is allowed */
	bool refused;			/* by repo_export_ask(): too many within a day; the rest is absent */
};
typedef void (repo_export_fn)(void *arg, const struct export *export, const struct pl_err *err);
typedef void (repo_export_part_fn)(void *arg, const struct pl_str *body, const struct pl_err *err);

/*
 * Queues an export of the account of the task's caller, unless one is unfinished, and gives the newest one.
 * PL_E_NOT_FOUND: the account is gone or disabled.
 */
void repo_export_ask(struct db *db, struct pl_task *task, int per_day, repo_export_fn *done, void *arg);
/* The newest export of the task's caller. PL_E_NOT_FOUND: there is none. */
void repo_export_find(struct db *db, struct pl_task *task, repo_export_fn *done, void *arg);
/* Records in the audit trail that the task's caller downloads an export. */
void repo_export_opened(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg);
/* One part of the document, from 0: at most 256 KiB. PL_E_NOT_FOUND: it was removed. */
void repo_export_part(struct db *db, struct pl_task *task, struct pl_str id, int part, repo_export_part_fn *done,
    void *arg);

#endif

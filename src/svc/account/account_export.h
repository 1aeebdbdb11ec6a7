/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts. A job makes the document in SQL and stores it in parts (sql/085_account_export.sql).
 */
#ifndef SVC_ACCOUNT_EXPORT_H
#define SVC_ACCOUNT_EXPORT_H

#include "db/repo/repo_export.h"
#include "svc/svc.h"

/*
 * Queues an export of the account of the task's caller, and gives it; or the unfinished one. PL_E_FORBIDDEN: setting
 * exports_per_day is 0; PL_E_RATE with retry_after: too many within 24 hours; PL_E_UNAUTHORIZED: the account is gone.
 */
void account_export_ask(struct svc *svc, const struct config *config, struct pl_task *task, repo_export_fn *done,
    void *arg);
/* The newest export of the task's caller. PL_E_NOT_FOUND: there is none, or its time is over. */
void account_export_find(struct svc *svc, const struct config *config, struct pl_task *task, repo_export_fn *done,
    void *arg);
/* Wall clock in microseconds when the document is removed; 0: it is not complete. */
int64_t account_export_expires(const struct config *config, const struct export *export);

#endif

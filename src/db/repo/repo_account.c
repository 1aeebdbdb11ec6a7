/* SPDX-License-Identifier: ISC */
/*
 * Deletion of the caller's account: statement and row reader.
 */
#include "db/repo/repo_account.h"

#include "db/repo/repo_int.h"

void repo_account_delete(struct db *db, struct pl_task *task, const struct confirmation *by, bool erase,
    repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_USER_DELETE, repo_on_ended, done, arg);

	repo_add_confirmation(query, by);
	pgquery_bool(query, erase);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Deletion of the caller's account: statement and row reader.
 */
#include "db/repo/repo_account.h"

#include "db/repo/repo_int.h"

void repo_account_delete(struct db *db, struct pl_task *task, struct pl_str password_hash,
    const struct mfa_proof *proof, bool erase, repo_ended_fn *done, void *arg)
{
	static const struct mfa_proof none;
	struct pgquery *query = QUERY(db, task, S_USER_DELETE, repo_on_ended, done, arg);

	if (proof == NULL)
		proof = &none;
	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, password_hash);
	pgquery_bytes(query, proof->sealed.ptr, proof->sealed.len);
	pgquery_i64_or_null(query, proof->step, 0);
	pgquery_bytes(query, (const char *)proof->recovery.sha256, sizeof(proof->recovery.sha256));
	pgquery_bool(query, erase);
	pgquery_audited(query);
	pgquery_start(query);
}

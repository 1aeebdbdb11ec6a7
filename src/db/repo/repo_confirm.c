/* SPDX-License-Identifier: ISC */
/*
 * Confirmations: statement, parameters, row reader.
 */
#include "db/repo/repo_confirm.h"

#include "db/repo/repo_int.h"

void repo_add_confirmation(struct pgquery *query, const struct confirmation *by)
{
	const struct pl_caller *who = &query->task->who;

	pgquery_i64(query, who->user_id);
	pgquery_i64(query, who->login_id);
	pgquery_text(query, by->password_hash);
	pgquery_bytes(query, by->proof.sealed.ptr, by->proof.sealed.len);
	pgquery_i64_or_null(query, by->proof.step, 0);
	pgquery_bytes(query, (const char *)by->proof.recovery.sha256, sizeof(by->proof.recovery.sha256));
	pgquery_cstr(query, who->addr);
	pgquery_audited(query);
}

REPLY(on_state, struct confirm_state)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->password_hash = pgrow_text(&row);
	out->second_factor = pgrow_bool(&row);
	out->sealed = pgrow_text(&row);
	out->confirmed = pgrow_bool(&row);
	out->locked = pgrow_bool(&row);
	out->recent = pgrow_bool(&row);
	return true;
}

void repo_confirm_state(struct db *db, struct pl_task *task, repo_confirm_state_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_CONFIRM_STATE, on_state, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, task->who.login_id);
	pgquery_cstr(query, task->who.addr);
	pgquery_start(query);
}

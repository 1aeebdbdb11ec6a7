/* SPDX-License-Identifier: ISC */
/*
 * E-mail addresses of accounts: statements, parameters.
 */
#include "db/repo/repo_email.h"

#include "db/repo/repo_int.h"

void repo_email_verify_ask(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str login, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EMAIL_VERIFY_ASK, repo_on_done, done, arg);

	pgquery_text(query, login);
	pgquery_i64_or_null(query, user_id, 0);
	pgquery_cstr(query, task->who.addr);
	pgquery_cstr(query, task->request_id);
	pgquery_start(query);
}

void repo_email_verify(struct db *db, struct pl_task *task, const unsigned char sha256[32], db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EMAIL_VERIFY, repo_on_status, done, arg);

	pgquery_bytes(query, sha256, 32);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_change, bool)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);
	struct pl_str status = pgrow_text(&row);

	*out = true;
	if (pl_str_is(status, "same"))
		return pl_err_field(bad, query->task->pool, "body.email", "value_error",
		    "is the address of the account");
	return repo_status_err(status, bad);
}

void repo_email_change(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str email,
    bool mail, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EMAIL_CHANGE, on_change, done, arg);

	repo_add_confirmation(query, by);
	pgquery_text(query, email);
	pgquery_bool(query, mail);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Second factors: statements, parameters, row readers.
 */
#include "db/repo/repo_mfa.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static void add_hash(struct pgquery *query, const struct mfa_hash *hash)
{
	pgquery_bytes(query, hash->sha256, sizeof(hash->sha256));
}

static void add_hashes(struct pgquery *query, const struct mfa_hash *hashes, int count)
{
	struct pl_str *texts = pl_alloc(query->pool, (size_t)count * sizeof(*texts));

	for (int i = 0; i < count; i++) {
		char *hex = pl_alloc(query->pool, 2 * sizeof(hashes[i].sha256) + 1);

		pl_hex(hashes[i].sha256, sizeof(hashes[i].sha256), hex);
		texts[i] = pl_str(hex);
	}
	pgquery_texts(query, texts, count);
}

static void add_proof(struct pgquery *query, const struct mfa_proof *proof)
{
	pgquery_bytes(query, proof->sealed.ptr, proof->sealed.len);
	pgquery_i64_or_null(query, proof->step, 0);
	add_hash(query, &proof->recovery);
}

REPLY(on_state, struct mfa_state)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->on = pgrow_bool(&row);
	out->has_password = pgrow_bool(&row);
	out->confirmed_us = pgrow_time(&row);
	out->codes_left = pgrow_i64(&row);
	return true;
}

void repo_mfa_state(struct db *db, struct pl_task *task, int64_t user_id, repo_mfa_state_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MFA_STATE, on_state, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}

/* One boolean. false: PL_E_NOT_FOUND. */
REPLY(on_added, bool)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	*out = pgrow_bool(&row);
	if (!*out)
		pl_err_set(bad, PL_E_NOT_FOUND, NULL);
	return *out;
}

void repo_mfa_ticket_add(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str password_hash,
    const struct mfa_hash *ticket, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MFA_TICKET_ADD, on_added, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, password_hash);
	add_hash(query, ticket);
	pgquery_start(query);
}

REPLY(on_ticket, struct mfa_ticket)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->user_id = pgrow_i64(&row);
	out->sealed = pgrow_text(&row);
	return true;
}

void repo_mfa_ticket(struct db *db, struct pl_task *task, const struct mfa_hash *ticket, repo_mfa_ticket_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MFA_TICKET, on_ticket, done, arg);

	add_hash(query, ticket);
	pgquery_start(query);
}

/* No row: the account was disabled at the same moment. */
REPLY(on_login, struct mfa_login)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad) || !repo_status_err(pgrow_text(&row), bad))
		return false;
	out->user_id = pgrow_i64(&row);
	out->login_id = pgrow_i64(&row);
	out->counter = pgrow_i64(&row);
	out->expires_us = pgrow_time(&row);
	return true;
}

void repo_mfa_login(struct db *db, struct pl_task *task, const struct mfa_hash *ticket, const struct mfa_proof *proof,
    int64_t life_us, struct pl_str user_agent, repo_mfa_login_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_MFA_LOGIN, on_login, done, arg);

	add_hash(query, ticket);
	add_proof(query, proof);
	pgquery_i64(query, life_us);
	pgquery_text(query, user_agent);
	pgquery_cstr(query, task->who.addr);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_totp_begin(struct db *db, struct pl_task *task, const struct confirmation *by, struct pl_str sealed,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_TOTP_BEGIN, repo_on_status, done, arg);

	repo_add_confirmation(query, by);
	pgquery_bytes(query, sealed.ptr, sealed.len);
	pgquery_start(query);
}

void repo_totp_confirm(struct db *db, struct pl_task *task, struct pl_str sealed, int64_t step,
    const struct mfa_hash *codes, int count, repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_TOTP_CONFIRM, repo_on_ended, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, task->who.login_id);
	pgquery_bytes(query, sealed.ptr, sealed.len);
	pgquery_i64(query, step);
	add_hashes(query, codes, count);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_totp_off(struct db *db, struct pl_task *task, const struct confirmation *by, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_TOTP_OFF, repo_on_status, done, arg);

	repo_add_confirmation(query, by);
	pgquery_start(query);
}

void repo_recovery_renew(struct db *db, struct pl_task *task, const struct confirmation *by,
    const struct mfa_hash *codes, int count, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_RECOVERY_RENEW, repo_on_status, done, arg);

	repo_add_confirmation(query, by);
	add_hashes(query, codes, count);
	pgquery_start(query);
}

/* SPDX-License-Identifier: ISC */
/*
 * Identity providers: statements, parameters, row readers.
 */
#include "db/repo/repo_oidc.h"

#include "db/repo/repo_int.h"

static const char *const status_words[] = { "ok", "mfa", "no_account", "refused", "taken", "login_ended", "gone",
	NULL };

/* NULL is sent as NULL. */
static void add_hash(struct pgquery *query, const struct oidc_hash *hash)
{
	pgquery_bytes(query, hash != NULL ? hash->sha256 : NULL, hash != NULL ? sizeof(hash->sha256) : 0);
}

static void add_challenge(struct pgquery *query, const struct oidc_flow *flow)
{
	add_hash(query, flow->challenged ? &flow->challenge : NULL);
}

void repo_oidc_begin(struct db *db, struct pl_task *task, const struct oidc_hash *state,
    const struct oidc_hash *browser, struct oidc_section section, const struct oidc_flow *flow, db_done_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_BEGIN, repo_on_bool, done, arg);

	add_hash(query, state);
	add_hash(query, browser);
	pgquery_text(query, section.name);
	pgquery_text(query, section.issuer);
	pgquery_text(query, flow->return_to);
	add_challenge(query, flow);
	pgquery_i64_or_null(query, flow->user_id, 0);
	pgquery_i64_or_null(query, flow->login_id, 0);
	pgquery_start(query);
}

void repo_oidc_link_begin(struct db *db, struct pl_task *task, const struct confirmation *by,
    const struct oidc_hash *state, const struct oidc_hash *browser, struct oidc_section section,
    const struct oidc_flow *flow, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_LINK_BEGIN, repo_on_status, done, arg);

	repo_add_confirmation(query, by);
	add_hash(query, state);
	add_hash(query, browser);
	pgquery_text(query, section.name);
	pgquery_text(query, section.issuer);
	pgquery_text(query, flow->return_to);
	pgquery_start(query);
}

REPLY(on_flow, struct oidc_flow)
{
	struct pgrow row;
	struct pl_str challenge;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->return_to = pgrow_text(&row);
	challenge = pgrow_text(&row);
	out->challenged = challenge.len == sizeof(out->challenge.sha256);
	if (out->challenged)
		memcpy(out->challenge.sha256, challenge.ptr, challenge.len);
	out->user_id = pgrow_i64_or(&row, 0);
	out->login_id = pgrow_i64_or(&row, 0);
	return true;
}

void repo_oidc_return(struct db *db, struct pl_task *task, const struct oidc_hash *state,
    const struct oidc_hash *browser, struct oidc_section section, repo_oidc_flow_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_RETURN, on_flow, done, arg);

	add_hash(query, state);
	add_hash(query, browser);
	pgquery_text(query, section.name);
	pgquery_text(query, section.issuer);
	pgquery_start(query);
}

REPLY(on_signed_in, struct oidc_signed_in)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->status = (enum oidc_status)pgrow_word(&row, status_words, OIDC_GONE);
	out->user_id = pgrow_i64_or(&row, 0);
	return true;
}

static void add_person(struct pgquery *query, const struct oidc_person *person)
{
	pgquery_text(query, person->provider);
	pgquery_text(query, person->issuer);
	pgquery_text(query, person->subject);
	pgquery_text(query, person->email);
}

void repo_oidc_sign_in(struct db *db, struct pl_task *task, const struct oidc_person *person,
    const struct oidc_rules *rules, const struct oidc_flow *flow, const struct oidc_hash *code,
    repo_oidc_sign_in_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_SIGN_IN, on_signed_in, done, arg);

	add_person(query, person);
	pgquery_bool(query, person->email_verified);
	pgquery_text(query, person->username);
	pgquery_text(query, person->name);
	pgquery_bool(query, rules->link);
	pgquery_bool(query, rules->add);
	add_hash(query, code);
	add_challenge(query, flow);
	pgquery_cstr(query, task->who.addr);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_oidc_link(struct db *db, struct pl_task *task, const struct oidc_person *person, const struct oidc_flow *flow,
    repo_oidc_sign_in_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_LINK, on_signed_in, done, arg);

	add_person(query, person);
	pgquery_i64(query, flow->user_id);
	pgquery_i64(query, flow->login_id);
	pgquery_audited(query);
	pgquery_start(query);
}

/* No row: the account was disabled at the same moment. */
REPLY(on_login, struct oidc_login)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->status = OIDC_REFUSED;
	if (PQntuples(res) == 0)
		return true;
	out->status = (enum oidc_status)pgrow_word(&row, status_words, OIDC_GONE);
	out->user_id = pgrow_i64_or(&row, 0);
	out->login_id = pgrow_i64_or(&row, 0);
	out->counter = pgrow_i64_or(&row, 0);
	out->expires_us = out->status == OIDC_OK ? pgrow_time(&row) : 0;
	return true;
}

void repo_oidc_code_use(struct db *db, struct pl_task *task, const struct oidc_hash *code,
    const struct oidc_hash *challenge, int64_t life_us, struct pl_str user_agent, const struct oidc_hash *ticket,
    repo_oidc_login_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_CODE_USE, on_login, done, arg);

	add_hash(query, code);
	add_hash(query, challenge);
	pgquery_i64(query, life_us);
	pgquery_text(query, user_agent);
	pgquery_cstr(query, task->who.addr);
	add_hash(query, ticket);
	pgquery_audited(query);
	pgquery_start(query);
}

static void read_identity(struct pgrow *row, struct identity *identity)
{
	identity->id = pgrow_i64(row);
	identity->provider = pgrow_text(row);
	identity->issuer = pgrow_text(row);
	identity->subject = pgrow_text(row);
	identity->email = pgrow_text(row);
	identity->created_us = pgrow_time(row);
	identity->used_us = pgrow_time(row);
}

REPLY(on_identities, struct identity_list)
{
	READ_ROWS(query, res, out, struct identity, read_identity);
	return true;
}

void repo_identities(struct db *db, struct pl_task *task, repo_identities_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_IDENTITIES, on_identities, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_start(query);
}

void repo_identity_remove(struct db *db, struct pl_task *task, const struct confirmation *by, int64_t id,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_OIDC_UNLINK, repo_on_status, done, arg);

	repo_add_confirmation(query, by);
	pgquery_i64(query, id);
	pgquery_start(query);
}

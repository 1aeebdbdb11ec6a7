/* SPDX-License-Identifier: ISC */
/*
 * The second step of a login: ticket and code -> login session -> tokens. PostgreSQL counts the attempts while it locks
 * the ticket, so that simultaneous requests get no additional attempts.
 */
#include "clock.h"
#include "leaf.h"
#include "log.h"
#include "svc/account/audit.h"
#include "svc/account/mfa.h"
#include "totp.h"

#define TICKET_BYTES 32

bool mfa_must(const struct config *config, int access)
{
	switch (config->s.mfa_required_for) {
	case MFA_ADMIN:
		return access >= ACCESS_ADMIN;
	case MFA_OPERATOR:
		return access >= ACCESS_OPERATOR;
	case MFA_ALL:
		return true;
	default:
		return false;
	}
}

/* ---- proofs ---- */

struct pl_str mfa_context(struct pl_pool *pool, int64_t user_id)
{
	return pl_str(pl_sprintf(pool, "second-factor:%lld", (long long)user_id));
}

/* The hash includes the user, so that equal codes have different hashes. */
void mfa_recovery_hash(struct pl_pool *pool, int64_t user_id, struct pl_str code, struct mfa_hash *hash)
{
	struct pl_buf text = PL_BUF(pool);

	pl_buf_addf(&text, "recovery:%lld:", (long long)user_id);
	for (size_t i = 0; i < code.len; i++) {
		char c = code.ptr[i];

		if (c != ' ' && c != '-')
			pl_buf_addf(&text, "%c", c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	pl_sha256(text.ptr, text.len, hash->sha256);
}

int64_t mfa_step(const struct config *config, struct pl_task *task, int64_t user_id, struct pl_str sealed,
    struct pl_str code)
{
	struct pl_str secret, context = mfa_context(task->pool, user_id);
	int64_t step;

	if (!pl_unseal(task->pool, &config->seal_ring, context, sealed, &secret) || secret.len != PL_TOTP_SECRET) {
		pl_log(PL_LOG_WARN, task, "the secret of a second factor cannot be opened: only recovery codes count",
		    "user=%lld", (long long)user_id);
		return -1;
	}
	step = pl_totp_find((const unsigned char *)secret.ptr, code, pl_wall_us() / PL_US_PER_S);
	return step > 0 ? step : -1;
}

void mfa_proof_make(const struct config *config, struct pl_task *task, int64_t user_id, struct pl_str sealed,
    struct mfa_given given, struct mfa_proof *proof)
{
	*proof = (struct mfa_proof){ .sealed = sealed };
	if (given.code.ptr != NULL)
		proof->step = mfa_step(config, task, user_id, sealed, given.code);
	else
		mfa_recovery_hash(task->pool, user_id, given.recovery_code, &proof->recovery);
}

/* ---- the ticket ---- */

struct making { struct pl_str ticket; mfa_ticket_fn *done; void *arg; };

static void make_on_added(void *arg, const bool *added, const struct pl_err *err)
{
	struct making *m = arg;

	m->done(m->arg, err == NULL ? m->ticket : PL_STR_NONE, err);
}

void mfa_ticket_make(struct svc *svc, struct pl_task *task, const struct user *user, mfa_ticket_fn *done, void *arg)
{
	struct making *m = pl_alloc(task->pool, sizeof(*m));
	char *text = pl_alloc(task->pool, TICKET_BYTES * 2);
	unsigned char bytes[TICKET_BYTES];
	struct mfa_hash hash;

	pl_random(bytes, sizeof(bytes));
	*m = (struct making){ .done = done, .arg = arg };
	m->ticket = pl_strn(text, pl_b64url_encode(bytes, sizeof(bytes), text));
	pl_sha256(m->ticket.ptr, m->ticket.len, hash.sha256);
	repo_mfa_ticket_add(svc->db, task, user->id, user->password_hash, &hash, make_on_added, m);
}

/* ---- the login ---- */

struct second {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct mfa_hash ticket;
	struct mfa_given given;
	struct pl_str user_agent;
	int64_t user_id;
	auth_tokens_fn *done;
	void *arg;
};

static void second_fail(struct second *s, const struct pl_err *err)
{
	struct pl_err gone = { 0 };

	if (err->code == PL_E_NOT_FOUND)
		pl_err_set(&gone, PL_E_UNAUTHORIZED, "mfa_ticket is unknown, expired, or used; log in again.");
	s->done(s->arg, NULL, gone.code != PL_E_OK ? &gone : err);
}

static void second_on_login(void *arg, const struct mfa_login *login, const struct pl_err *err)
{
	struct second *s = arg;
	struct auth_made made;

	if (err != NULL) {
		if (err->code == PL_E_BAD_LOGIN)
			auth_failed(s->svc, s->config, s->task, "second factor refused", s->user_id);
		second_fail(s, err);
		return;
	}
	s->task->who.user_id = login->user_id;
	made = (struct auth_made){ .user_id = login->user_id, .login_id = login->login_id, .counter = login->counter,
		.expires_us = login->expires_us };
	auth_issue(s->svc, s->config, s->task, &made, s->done, s->arg);
}

static void second_on_ticket(void *arg, const struct mfa_ticket *ticket, const struct pl_err *err)
{
	struct second *s = arg;
	struct mfa_proof proof;

	if (err != NULL) {
		second_fail(s, err);
		return;
	}
	s->user_id = ticket->user_id;
	mfa_proof_make(s->config, s->task, ticket->user_id, ticket->sealed, s->given, &proof);
	repo_mfa_login(s->svc->db, s->task, &s->ticket, &proof, s->config->s.refresh_token_life * 1000, s->user_agent,
	    second_on_login, s);
}

void mfa_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str ticket,
    struct mfa_given given, struct auth_client client, auth_tokens_fn *done, void *arg)
{
	struct second *s = pl_alloc(task->pool, sizeof(*s));

	*s = (struct second){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .given = given,
		.user_agent = client.user_agent, .done = done, .arg = arg };
	pl_sha256(ticket.ptr, ticket.len, s->ticket.sha256);
	repo_mfa_ticket(svc->db, task, &s->ticket, second_on_ticket, s);
}

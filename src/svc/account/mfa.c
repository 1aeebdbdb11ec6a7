/* SPDX-License-Identifier: ISC */
/*
 * Sets up a second factor, turns it off, and replaces recovery codes.
 *
 * begin:         password -> a sealed secret
 * confirm:       code -> on, recovery codes
 * off, renew:    password -> code -> one statement that uses the code and acts
 */
#include "svc/account/mfa.h"

#include "leaf.h"
#include "svc/account/audit.h"
#include "totp.h"

#define CODE_BYTES 10			/* 16 characters of base32 */
#define CODE_GROUP 4

struct mfa {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct pl_str password, sealed;
	struct mfa_given given;
	bool locked;			/* by failed logins from this network: see auth_failed() */
	struct totp_made made;
	struct pl_str codes[MFA_CODES];
	bool renew;
	void (*verified)(struct mfa *m);
	totp_made_fn *on_made;		/* one of these three */
	mfa_codes_fn *on_codes;
	db_done_fn *on_done;
	void *arg;
};

static struct mfa *mfa_new(struct svc *svc, const struct config *config, struct pl_task *task, void *arg)
{
	struct mfa *m = pl_alloc(task->pool, sizeof(*m));

	*m = (struct mfa){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .arg = arg };
	return m;
}

static void mfa_fail(struct mfa *m, const struct pl_err *err)
{
	if (m->on_made != NULL)
		m->on_made(m->arg, NULL, err);
	else if (m->on_codes != NULL)
		m->on_codes(m->arg, NULL, err);
	else
		m->on_done(m->arg, NULL, err);
}

static void mfa_fail_field(struct mfa *m, const char *loc, const char *text)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, m->task->pool, loc, "value_error", "%s", text);
	mfa_fail(m, &err);
}

/* ---- verifying the password ---- */

static void verify_on_hash(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	struct mfa *m = arg;

	if (err != NULL) {
		mfa_fail(m, err);
	} else if (m->locked) {		/* the same reply: it must not show whether the password is right */
		audit_refused(m->svc, m->task, "second factor: password refused", m->task->who.user_id);
		mfa_fail_field(m, "body.password", "is not the current password");
	} else if (!result->good) {
		auth_failed(m->svc, m->config, m->task, "second factor: password refused", m->task->who.user_id);
		mfa_fail_field(m, "body.password", "is not the current password");
	} else {
		m->verified(m);
	}
}

static void verify_on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct pl_err gone = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account was deleted, the token is still valid */
		pl_err_set(&gone, PL_E_UNAUTHORIZED, NULL);
		mfa_fail(m, &gone);
	} else if (err != NULL) {
		mfa_fail(m, err);
	} else {
		m->locked = user->locked;
		hasher_verify(m->svc->worker->hasher, m->task, m->password, user->password_hash, verify_on_hash, m);
	}
}

static void mfa_verify(struct mfa *m, struct pl_str password, void (*verified)(struct mfa *m))
{
	m->password = password;
	m->verified = verified;
	repo_user_by_login(m->svc->db, m->task, pl_str(m->task->who.name), verify_on_user, m);
}

/* ---- begin ---- */

static void begin_on_stored(void *arg, const bool *done, const struct pl_err *err)
{
	struct mfa *m = arg;

	m->on_made(m->arg, err == NULL ? &m->made : NULL, err);
}

/* Escapes text for a URI: letters, digits, and -._~ do not change. */
static void add_escaped(struct pl_buf *buf, struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c) != NULL;

		pl_buf_addf(buf, plain ? "%c" : "%%%02X", c);
	}
}

/* The URI format of Google Authenticator, which all apps read. */
static struct pl_str uri_of(struct mfa *m)
{
	struct pl_str name = pl_str(m->config->s.server_name);
	struct pl_buf buf = PL_BUF(m->task->pool);

	pl_buf_adds(&buf, "otpauth://totp/");
	add_escaped(&buf, name);
	pl_buf_adds(&buf, ":");
	add_escaped(&buf, pl_str(m->task->who.name));
	pl_buf_addf(&buf, "?secret=%.*s&issuer=", PL_FMT(m->made.secret));
	add_escaped(&buf, name);
	pl_buf_addf(&buf, "&algorithm=SHA1&digits=%d&period=%d", PL_TOTP_DIGITS, PL_TOTP_STEP_S);
	return pl_buf_str(&buf);
}

static void begin_verified(struct mfa *m)
{
	char *text = pl_alloc(m->task->pool, PL_TOTP_SECRET * 2);
	unsigned char secret[PL_TOTP_SECRET];

	pl_random(secret, sizeof(secret));
	m->made.secret = pl_strn(text, pl_base32_encode(secret, sizeof(secret), text));
	m->made.uri = uri_of(m);
	m->sealed = pl_seal(m->task->pool, &m->config->seal_ring, mfa_context(m->task->pool, m->task->who.user_id),
	    pl_strn((const char *)secret, sizeof(secret)));
	pl_wipe(secret, sizeof(secret));
	repo_totp_begin(m->svc->db, m->task, m->task->who.user_id, m->sealed, begin_on_stored, m);
}

void totp_begin(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str password,
    totp_made_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->on_made = done;
	mfa_verify(m, password, begin_verified);
}

/* ---- recovery codes ---- */

/* Makes codes such as abcd-efgh-ijkl-mnop; hashes_r has room for MFA_CODES. */
static void codes_make(struct mfa *m, struct mfa_hash *hashes)
{
	for (int i = 0; i < MFA_CODES; i++) {
		struct pl_buf text = PL_BUF(m->task->pool);
		unsigned char bytes[CODE_BYTES];
		char plain[2 * CODE_BYTES];
		size_t n;

		pl_random(bytes, sizeof(bytes));
		n = pl_base32_encode(bytes, sizeof(bytes), plain);
		for (size_t at = 0; at < n; at++)
			pl_buf_addf(&text, "%s%c", at > 0 && at % CODE_GROUP == 0 ? "-" : "",
			    plain[at] >= 'A' ? plain[at] - 'A' + 'a' : plain[at]);
		m->codes[i] = pl_buf_str(&text);
		mfa_recovery_hash(m->task->pool, m->task->who.user_id, m->codes[i], &hashes[i]);
	}
}

/* ---- confirm ---- */

static void confirm_on_done(void *arg, const struct ended_list *ended, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct pl_err other = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND)
		pl_err_set(&other, PL_E_CONFLICT, "The secret was replaced meanwhile; begin again.");
	if (err != NULL) {
		mfa_fail(m, other.code != PL_E_OK ? &other : err);
		return;
	}
	auth_ended(m->svc, m->task, ended);
	m->on_codes(m->arg, m->codes, NULL);
}

static void confirm_on_state(void *arg, const struct mfa_state *state, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct mfa_hash hashes[MFA_CODES];
	struct pl_err other = { 0 };
	int64_t step;

	if (err != NULL) {
		mfa_fail(m, err);
	} else if (state->on || state->sealed.ptr == NULL) {
		pl_err_set(&other, PL_E_CONFLICT, state->on ? "A second factor is on already; turn it off first." :
		    "There is no secret to confirm: begin with POST /api/auth/mfa/totp.");
		mfa_fail(m, &other);
	} else if ((step = mfa_step(m->config, m->task, m->task->who.user_id, state->sealed, m->given.code)) < 0) {
		mfa_fail_field(m, "body.code", "is not the code that the app shows now");
	} else {
		codes_make(m, hashes);
		repo_totp_confirm(m->svc->db, m->task, state->sealed, step, hashes, MFA_CODES, confirm_on_done, m);
	}
}

void totp_confirm(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str code,
    mfa_codes_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->given.code = code;
	m->on_codes = done;
	repo_mfa_state(svc->db, task, task->who.user_id, confirm_on_state, m);
}

/* ---- off, and new codes ---- */

static void prove_on_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct mfa *m = arg;
	bool by_code = m->given.code.ptr != NULL;

	if (err != NULL && err->code == PL_E_BAD_LOGIN) {
		auth_failed(m->svc, m->config, m->task, "second factor refused", m->task->who.user_id);
		mfa_fail_field(m, by_code ? "body.code" : "body.recovery_code",
		    by_code ? "is not valid: it is wrong, or was used" : "is not valid: it is unknown, or was used");
	} else if (err != NULL) {
		mfa_fail(m, err);
	} else if (m->renew) {
		m->on_codes(m->arg, m->codes, NULL);
	} else {
		m->on_done(m->arg, done, NULL);
	}
}

static void prove_on_state(void *arg, const struct mfa_state *state, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct mfa_hash hashes[MFA_CODES];
	struct pl_err off = { 0 };
	struct mfa_proof proof;

	if (err != NULL || !state->on) {
		pl_err_set(&off, PL_E_CONFLICT, "No second factor is on.");
		mfa_fail(m, err != NULL ? err : &off);
		return;
	}
	mfa_proof_make(m->config, m->task, m->task->who.user_id, state->sealed, m->given, &proof);
	if (!m->renew) {
		repo_totp_off(m->svc->db, m->task, m->task->who.user_id, &proof, prove_on_done, m);
		return;
	}
	codes_make(m, hashes);
	repo_recovery_renew(m->svc->db, m->task, m->task->who.user_id, &proof, hashes, MFA_CODES, prove_on_done, m);
}

static void prove_verified(struct mfa *m)
{
	repo_mfa_state(m->svc->db, m->task, m->task->who.user_id, prove_on_state, m);
}

void totp_off(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str password,
    struct mfa_given given, db_done_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->given = given;
	m->on_done = done;
	mfa_verify(m, password, prove_verified);
}

void mfa_codes_renew(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str password,
    struct mfa_given given, mfa_codes_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->given = given;
	m->on_codes = done;
	m->renew = true;
	mfa_verify(m, password, prove_verified);
}

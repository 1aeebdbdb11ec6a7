/* SPDX-License-Identifier: ISC */
/*
 * Sets up a second factor, turns it off, and replaces recovery codes.
 *
 * begin:         confirm.c -> a sealed secret
 * confirm:       code -> on, recovery codes
 * off, renew:    confirm.c -> one statement that uses the code up and acts
 */
#include "svc/account/mfa.h"

#include "leaf.h"
#include "svc/account/audit.h"
#include "totp.h"

#define CODE_BYTES 10			/* 16 characters of base32 */
#define CODE_GROUP 4

#define ACT "second factor"		/* in the audit trail */

struct mfa {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct confirm *confirm;
	struct pl_str code, sealed;
	struct totp_made made;
	struct pl_str codes[MFA_CODES];
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

/* ---- begin ---- */

static void begin_on_stored(void *arg, const bool *done, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct pl_err mine;

	err = confirm_result(m->confirm, err, &mine);
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

static void begin_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct mfa *m = arg;
	char *text = pl_alloc(m->task->pool, PL_TOTP_SECRET * 2);
	unsigned char secret[PL_TOTP_SECRET];

	if (err != NULL) {
		mfa_fail(m, err);
		return;
	}
	pl_random(secret, sizeof(secret));
	m->made.secret = pl_strn(text, pl_base32_encode(secret, sizeof(secret), text));
	m->made.uri = uri_of(m);
	m->sealed = pl_seal(m->task->pool, &m->config->seal_ring, mfa_context(m->task->pool, m->task->who.user_id),
	    pl_strn((const char *)secret, sizeof(secret)));
	pl_wipe(secret, sizeof(secret));
	repo_totp_begin(m->svc->db, m->task, by, m->sealed, begin_on_stored, m);
}

void totp_begin(struct svc *svc, const struct config *config, struct pl_task *task, const struct confirm_given *given,
    totp_made_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->on_made = done;
	m->confirm = confirm_start(svc, config, task, ACT, given, true, begin_on_confirmed, m);
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

static void turned_on(void *arg, const struct ended_list *ended, const struct pl_err *err)
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

/* During a lock, the right code gets the reply for a wrong one. */
static void turn_on(struct mfa *m, const struct confirm_state *state)
{
	int64_t step = mfa_step(m->config, m->task, m->task->who.user_id, state->sealed, m->code);
	struct mfa_hash hashes[MFA_CODES];

	if (step >= 0 && !state->locked) {
		codes_make(m, hashes);
		repo_totp_confirm(m->svc->db, m->task, state->sealed, step, hashes, MFA_CODES, turned_on, m);
		return;
	}
	if (state->locked)
		audit_refused(m->svc, m->task, ACT ": code refused", m->task->who.user_id);
	else
		auth_failed(m->svc, m->config, m->task, ACT ": code refused", m->task->who.user_id);
	mfa_fail_field(m, "body.code", "is not the code that the app shows now");
}

static void turn_on_state(void *arg, const struct confirm_state *state, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct pl_err other = { 0 };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {	/* the account was deleted, the token is still valid */
		pl_err_set(&other, PL_E_UNAUTHORIZED, NULL);
		mfa_fail(m, &other);
	} else if (err != NULL) {
		mfa_fail(m, err);
	} else if (state->second_factor || state->sealed.ptr == NULL) {
		pl_err_set(&other, PL_E_CONFLICT, state->second_factor ?
		    "A second factor is on already; turn it off first." :
		    "There is no secret to confirm: begin with POST /api/auth/mfa/totp.");
		mfa_fail(m, &other);
	} else {
		turn_on(m, state);
	}
}

void totp_confirm(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str code,
    mfa_codes_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->code = code;
	m->on_codes = done;
	repo_confirm_state(svc->db, task, turn_on_state, m);
}

/* ---- off, and new codes ---- */

static void prove_on_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct pl_err mine;

	err = confirm_result(m->confirm, err, &mine);
	if (err != NULL)
		mfa_fail(m, err);
	else if (m->on_codes != NULL)
		m->on_codes(m->arg, m->codes, NULL);
	else
		m->on_done(m->arg, done, NULL);
}

static void prove_on_confirmed(void *arg, const struct confirmation *by, const struct pl_err *err)
{
	struct mfa *m = arg;
	struct mfa_hash hashes[MFA_CODES];

	if (err != NULL) {
		mfa_fail(m, err);
	} else if (m->on_codes == NULL) {
		repo_totp_off(m->svc->db, m->task, by, prove_on_done, m);
	} else {
		codes_make(m, hashes);
		repo_recovery_renew(m->svc->db, m->task, by, hashes, MFA_CODES, prove_on_done, m);
	}
}

void totp_off(struct svc *svc, const struct config *config, struct pl_task *task, const struct confirm_given *given,
    db_done_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->on_done = done;
	m->confirm = confirm_start(svc, config, task, ACT, given, false, prove_on_confirmed, m);
}

void mfa_codes_renew(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct confirm_given *given, mfa_codes_fn *done, void *arg)
{
	struct mfa *m = mfa_new(svc, config, task, arg);

	m->on_codes = done;
	m->confirm = confirm_start(svc, config, task, ACT, given, false, prove_on_confirmed, m);
}

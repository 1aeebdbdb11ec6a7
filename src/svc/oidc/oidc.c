/* SPDX-License-Identifier: ISC */
/*
 * The steps of a sign-in through a provider: begin, return, login.
 */
#include "svc/oidc/oidc.h"

#include "leaf.h"
#include "log.h"
#include "svc/account/audit.h"
#include "svc/oidc/oidc_int.h"

#define SECRET_BYTES 32
#define SECRET_CHARS 43			/* of 32 bytes in base64url */
#define VERIFIER_MIN 43
#define VERIFIER_MAX 128

static struct oidc_hash hash_of(struct pl_str text)
{
	struct oidc_hash hash;

	pl_sha256(text.ptr, text.len, hash.sha256);
	return hash;
}

static struct pl_str text_of(struct pl_pool *pool, const unsigned char bytes[SECRET_BYTES])
{
	char *text = pl_alloc(pool, SECRET_CHARS + 3);

	return pl_strn(text, pl_b64url_encode(bytes, SECRET_BYTES, text));
}

static struct pl_str random_text(struct pl_pool *pool)
{
	unsigned char bytes[SECRET_BYTES];

	pl_random(bytes, sizeof(bytes));
	return text_of(pool, bytes);
}

static bool is_secret(struct pl_str text)
{
	unsigned char bytes[SECRET_BYTES];
	size_t len = 0;

	return text.len == SECRET_CHARS && pl_b64url_decode(text, bytes, sizeof(bytes), &len) && len == sizeof(bytes);
}

/* What only the browser with this cookie can make for this state. purpose: "nonce" or "verifier". */
static struct pl_str derive(struct pl_pool *pool, struct pl_str cookie, const char *purpose, struct pl_str state)
{
	const char *text = pl_sprintf(pool, "%s:%.*s", purpose, PL_FMT(state));
	unsigned char mac[32];

	pl_hmac_sha256(cookie.ptr, cookie.len, text, strlen(text), mac);
	return text_of(pool, mac);
}

/* ---- addresses ---- */

static struct pl_str public_url(const struct config *config)
{
	struct pl_str url = pl_str(config->s.public_url);

	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	return url;
}

static struct pl_str redirect_uri(const struct config *config, struct pl_pool *pool,
    const struct oidc_settings *provider)
{
	return pl_str(pl_sprintf(pool, "%.*s/api/auth/oidc/%s/callback", PL_FMT(public_url(config)), provider->name));
}

bool oidc_page(const struct config *config, struct pl_pool *pool, const char *loc, struct pl_str return_to,
    struct pl_str *page_r, struct pl_err *err)
{
	const struct pl_list *list = &config->s.oidc_return_to;

	*page_r = pl_str(pl_sprintf(pool, "%.*s/", PL_FMT(public_url(config))));
	if (return_to.ptr == NULL || pl_str_eq(return_to, public_url(config)) || pl_str_eq(return_to, *page_r))
		return true;
	for (int i = 0; i < list->count; i++) {
		if (pl_str_is(return_to, list->items[i])) {
			*page_r = return_to;
			return true;
		}
	}
	return pl_err_field(err, pool, loc, "value_error", "must be one of the addresses in setting oidc_return_to");
}

bool oidc_challenge_ok(struct pl_pool *pool, const char *loc, struct pl_str challenge, struct pl_err *err)
{
	if (challenge.ptr == NULL || is_secret(challenge))
		return true;
	return pl_err_field(err, pool, loc, "value_error", "must be the SHA-256 hash of a verifier in base64url (43 "
	    "characters)");
}

static struct pl_str page_with(struct pl_pool *pool, struct pl_str page, const char *name, struct pl_str value)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_addf(&out, "%.*s#", PL_FMT(page));
	oidc_param(&out, true, name, value);
	return pl_buf_str(&out);
}

struct pl_str oidc_page_error(struct pl_pool *pool, struct pl_str page, const char *error)
{
	return page_with(pool, page, "oidc_error", pl_str(error));
}

/* The cookie is for the routes below public_url only; Lax, so that it comes along when the provider sends us back. */
static struct pl_str cookie_text(const struct config *config, struct pl_pool *pool, struct pl_str secret)
{
	struct pl_str url = public_url(config), path = { "", 0 };
	const char *host = strstr(url.ptr, "://");
	bool tls = pl_str_starts(url, "https://");

	for (size_t i = host != NULL ? (size_t)(host - url.ptr) + 3 : url.len; i < url.len && path.len == 0; i++)
		if (url.ptr[i] == '/')
			path = pl_strn(url.ptr + i, url.len - i);
	return pl_str(pl_sprintf(pool, "%s=%.*s; Path=%.*s/api; Max-Age=%d; HttpOnly; SameSite=Lax%s", OIDC_COOKIE,
	    PL_FMT(secret), PL_FMT(path), OIDC_COOKIE_LIFE_S, tls ? "; Secure" : ""));
}

static struct oidc_section section_of(const struct oidc_settings *provider)
{
	return (struct oidc_section){ .name = pl_str(provider->name), .issuer = pl_str(provider->issuer) };
}

/* ---- begin ---- */

struct begin {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct config *config;
	CONFIG_HELD const struct oidc_settings *provider;
	struct oidc_flow flow;
	const struct confirmation *by;
	struct pl_str secret, state;
	struct oidc_begun begun;
	oidc_begun_fn *done;
	void *arg;
};

static struct pl_str authorize_url(const struct begin *b, const struct oidc_meta *meta)
{
	struct pl_pool *pool = b->task->pool;
	struct pl_str verifier = derive(pool, b->secret, "verifier", b->state);
	struct oidc_hash challenge = hash_of(verifier);
	struct pl_buf url = PL_BUF(pool), scopes = PL_BUF(pool);

	for (int i = 0; i < b->provider->scopes.count; i++)
		pl_buf_addf(&scopes, "%s%s", i > 0 ? " " : "", b->provider->scopes.items[i]);
	pl_buf_addf(&url, "%s%s", meta->authorize, strchr(meta->authorize, '?') != NULL ? "&" : "?");
	oidc_param(&url, true, "response_type", PL_STR("code"));
	oidc_param(&url, false, "client_id", pl_str(b->provider->client_id));
	oidc_param(&url, false, "redirect_uri", redirect_uri(b->config, pool, b->provider));
	oidc_param(&url, false, "scope", pl_buf_str(&scopes));
	oidc_param(&url, false, "state", b->state);
	oidc_param(&url, false, "nonce", derive(pool, b->secret, "nonce", b->state));
	oidc_param(&url, false, "code_challenge", text_of(pool, challenge.sha256));
	oidc_param(&url, false, "code_challenge_method", PL_STR("S256"));
	return pl_buf_str(&url);
}

static void begin_on_stored(void *arg, const bool *stored, const struct pl_err *err)
{
	struct begin *b = arg;

	PL_UNUSED(stored);
	b->done(b->arg, err == NULL ? &b->begun : NULL, err);
}

static void begin_on_meta(void *arg, const struct oidc_meta *meta, const char *why)
{
	struct begin *b = arg;
	struct oidc_hash state = hash_of(b->state), browser = hash_of(b->secret);
	struct pl_err err = { 0 };

	if (meta == NULL) {
		oidc_log(b->task, b->provider, why);
		pl_err_set(&err, PL_E_UPSTREAM, "The identity provider does not respond as it should; try again.");
		b->done(b->arg, NULL, &err);
		return;
	}
	b->begun = (struct oidc_begun){ .url = authorize_url(b, meta),
		.set_cookie = cookie_text(b->config, b->task->pool, b->secret) };
	if (b->by != NULL)
		repo_oidc_link_begin(b->svc->db, b->task, b->by, &state, &browser, section_of(b->provider), &b->flow,
		    begin_on_stored, b);
	else
		repo_oidc_begin(b->svc->db, b->task, &state, &browser, section_of(b->provider), &b->flow,
		    begin_on_stored, b);
}

void oidc_begin(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_begin *in,
    oidc_begun_fn *done, void *arg)
{
	struct begin *b = pl_alloc(task->pool, sizeof(*b));
	size_t len;

	*b = (struct begin){ .svc = svc, .task = task, .config = config_keep(task->pool, config),
		.provider = in->provider, .by = in->by, .done = done, .arg = arg };
	b->flow = (struct oidc_flow){ .return_to = in->return_to };
	b->flow.challenged = in->challenge.ptr != NULL && pl_b64url_decode(in->challenge, b->flow.challenge.sha256,
	    sizeof(b->flow.challenge.sha256), &len);
	/* the cookie of another sign-in of this browser, in another tab, serves this one, too */
	b->secret = is_secret(in->cookie) ? in->cookie : random_text(task->pool);
	b->state = random_text(task->pool);
	oidc_meta(svc, task, in->provider, begin_on_meta, b);
}

/* ---- return ---- */

struct back {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct config *config;
	CONFIG_HELD const struct oidc_settings *provider;
	struct pl_str code, state, error, iss, cookie;
	struct oidc_flow flow;
	struct pl_str page, ours;		/* ours: the one-use code for the page */
	struct oidc_proof proof;
	struct oidc_person person;
	oidc_page_fn *done;
	void *arg;
};

static void back_fail(struct back *b, const char *error)
{
	b->done(b->arg, oidc_page_error(b->task->pool, b->page, error));
}

static void back_on_account(void *arg, const struct oidc_signed_in *in, const struct pl_err *err)
{
	static const char *const errors[] = { [OIDC_NO_ACCOUNT] = "no_account", [OIDC_REFUSED] = "refused",
		[OIDC_TAKEN] = "taken", [OIDC_LOGIN_ENDED] = "login_ended", [OIDC_GONE] = "unavailable" };
	struct back *b = arg;

	if (err != NULL) {
		back_fail(b, "unavailable");
		return;
	}
	if (in->status == OIDC_REFUSED)
		audit_refused(b->svc, b->task, "login refused", in->user_id);
	if (in->status != OIDC_OK) {
		oidc_log(b->task, b->provider, errors[in->status]);
		back_fail(b, errors[in->status]);
	} else if (b->flow.user_id != 0) {
		b->done(b->arg, page_with(b->task->pool, b->page, "oidc_linked", pl_str(b->provider->name)));
	} else {
		b->done(b->arg, page_with(b->task->pool, b->page, "oidc_code", b->ours));
	}
}

static void back_on_person(void *arg, const struct oidc_person *person, const char *error)
{
	struct back *b = arg;
	const struct oidc_rules rules = { .link = b->config->s.oidc_link_by_email, .add = b->config->s.oidc_register };
	struct oidc_hash code;

	if (person == NULL) {
		back_fail(b, error);
		return;
	}
	b->ours = random_text(b->task->pool);
	code = hash_of(b->ours);
	if (b->flow.user_id != 0)
		repo_oidc_link(b->svc->db, b->task, person, &b->flow, back_on_account, b);
	else
		repo_oidc_sign_in(b->svc->db, b->task, person, &rules, &b->flow, &code, back_on_account, b);
}

/* Is the provider that answered the one that was asked? RFC 9207, against mixing up two providers. */
static bool from_provider(const struct back *b, const struct oidc_meta *meta)
{
	return b->iss.ptr != NULL ? pl_str_is(b->iss, b->provider->issuer) : !meta->sends_iss;
}

static void back_on_meta(void *arg, const struct oidc_meta *meta, const char *why)
{
	struct back *b = arg;
	struct pl_pool *pool = b->task->pool;

	if (meta == NULL) {
		oidc_log(b->task, b->provider, why);
		back_fail(b, "provider_error");
	} else if (!from_provider(b, meta)) {
		oidc_log(b->task, b->provider, "the browser came back from another issuer (iss)");
		back_fail(b, "invalid_token");
	} else if (b->error.ptr != NULL) {
		bool denied = pl_str_is(b->error, "access_denied");

		oidc_log(b->task, b->provider, denied ? "access_denied" :
		    "the provider answered the browser with an error");
		back_fail(b, denied ? "access_denied" : "provider_error");
	} else if (b->code.ptr == NULL) {
		oidc_log(b->task, b->provider, "the browser came back without a code");
		back_fail(b, "provider_error");
	} else {
		b->proof = (struct oidc_proof){ .code = b->code,
			.redirect_uri = redirect_uri(b->config, pool, b->provider),
			.verifier = derive(pool, b->cookie, "verifier", b->state),
			.nonce = derive(pool, b->cookie, "nonce", b->state) };
		oidc_identify(b->svc, b->config, b->task, b->provider, meta, &b->proof, back_on_person, b);
	}
}

static void back_on_flow(void *arg, const struct oidc_flow *flow, const struct pl_err *err)
{
	struct back *b = arg;

	if (err != NULL) {
		oidc_log(b->task, b->provider, err->code != PL_E_NOT_FOUND ? pl_err_text(err) :
		    "the state is unknown, used, expired, or of another browser, provider, or issuer");
		back_fail(b, err->code == PL_E_NOT_FOUND ? "expired" : "unavailable");
		return;
	}
	b->flow = *flow;
	b->page = flow->return_to;
	oidc_meta(b->svc, b->task, b->provider, back_on_meta, b);
}

void oidc_return(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_return *in,
    oidc_page_fn *done, void *arg)
{
	struct back *b = pl_alloc(task->pool, sizeof(*b));
	struct oidc_hash state = hash_of(in->state.ptr != NULL ? in->state : PL_STR(""));
	struct oidc_hash browser = hash_of(in->cookie.ptr != NULL ? in->cookie : PL_STR(""));
	struct pl_err err = { 0 };

	*b = (struct back){ .svc = svc, .task = task, .config = config_keep(task->pool, config),
		.provider = in->provider, .code = in->code, .state = in->state, .error = in->error, .iss = in->iss,
		.cookie = in->cookie, .done = done, .arg = arg };
	PL_BUG(!oidc_page(config, task->pool, "", PL_STR_NONE, &b->page, &err));
	repo_oidc_return(svc->db, task, &state, &browser, section_of(in->provider), back_on_flow, b);
}

/* ---- login ---- */

struct exchange {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct config *config;
	struct pl_str ticket;
	auth_tokens_fn *done;
	void *arg;
};

static void exchange_on_login(void *arg, const struct oidc_login *login, const struct pl_err *err)
{
	struct exchange *x = arg;
	struct auth_tokens out = { .mfa_ticket = x->ticket };
	struct pl_err no = { 0 };
	struct auth_made made;

	if (err != NULL) {
		x->done(x->arg, NULL, err);
	} else if (login->status == OIDC_OK) {
		x->task->who.user_id = login->user_id;
		made = (struct auth_made){ .user_id = login->user_id, .login_id = login->login_id,
			.counter = login->counter, .expires_us = login->expires_us };
		auth_issue(x->svc, x->config, x->task, &made, x->done, x->arg);
	} else if (login->status == OIDC_MFA) {
		pl_err_set(&no, PL_E_MFA_REQUIRED, NULL);
		x->done(x->arg, &out, &no);
	} else {
		if (login->status == OIDC_REFUSED && login->user_id != 0)
			audit_refused(x->svc, x->task, "login refused", login->user_id);
		pl_err_set(&no, PL_E_BAD_LOGIN, login->status == OIDC_REFUSED ?
		    "You cannot sign in to this account now." :
		    "The code is unknown, used, or expired, or the verifier is wrong; sign in again.");
		x->done(x->arg, NULL, &no);
	}
}

void oidc_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str code,
    struct pl_str verifier, struct auth_client client, auth_tokens_fn *done, void *arg)
{
	struct exchange *x = pl_alloc(task->pool, sizeof(*x));
	struct oidc_hash code_hash = hash_of(code), ticket, challenge = { { 0 } };

	*x = (struct exchange){ .svc = svc, .task = task, .config = config_keep(task->pool, config),
		.ticket = random_text(task->pool), .done = done, .arg = arg };
	ticket = hash_of(x->ticket);
	if (verifier.ptr != NULL)
		challenge = hash_of(verifier);
	repo_oidc_code_use(svc->db, task, &code_hash, verifier.ptr != NULL ? &challenge : NULL,
	    config->s.refresh_token_life * 1000, client.user_agent, &ticket, exchange_on_login, x);
}

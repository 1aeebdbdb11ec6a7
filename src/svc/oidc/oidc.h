/* SPDX-License-Identifier: ISC */
/*
 * Signing in through identity providers: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636).
 *
 *   oidc_begin()   the browser gets a cookie and goes to the provider; the table oidc_flows has a hash of both
 *   oidc_return()  the browser is back with a code: code -> tokens of the provider -> verified claims -> account -> a
 *                  one-use code in the fragment of the page's address
 *   oidc_login()   the page exchanges that code for a login session
 *
 * Nonce and PKCE verifier are derived from the secret in the cookie and from the state, so only the browser that began
 * can end a sign-in, and the database has nothing that could.
 */
#ifndef SVC_OIDC_H
#define SVC_OIDC_H

#include "db/repo/repo_oidc.h"
#include "svc/account/auth.h"
#include "svc/account/confirm.h"

#define OIDC_COOKIE "parlour_oidc"
#define OIDC_COOKIE_LIFE_S 600

struct oidc_cache;
/* What this process caches of providers: their metadata and keys. */
struct oidc_cache *oidc_cache_new(void);
void oidc_cache_free(struct oidc_cache **cache);

/*
 * cookie: the value of OIDC_COOKIE that the browser sent, absent if none. by NULL: somebody signs in; otherwise the
 * task's caller links a provider, and has confirmed that.
 */
struct oidc_begin {
	const struct oidc_settings *provider;	/* of the config given with it */
	struct pl_str return_to, challenge, cookie;	/* absent: none */
	const struct confirmation *by;
};
/* The address for the browser, and the cookie that it must keep (name, value, and attributes). */
struct oidc_begun { struct pl_str url, set_cookie; };
typedef void (oidc_begun_fn)(void *arg, const struct oidc_begun *begun, const struct pl_err *err);
/*
 * Checks where pages may be: false and PL_E_INVALID for other addresses. *page_r: the page; if return_to is absent, our
 * own.
 */
bool oidc_page(const struct config *config, struct pl_pool *pool, const char *loc, struct pl_str return_to,
    struct pl_str *page_r, struct pl_err *err) PL_MUSTCHECK;
/* Returns whether this is the hash of a verifier, or absent. false: PL_E_INVALID with field `loc`. */
bool oidc_challenge_ok(struct pl_pool *pool, const char *loc, struct pl_str challenge, struct pl_err *err) PL_MUSTCHECK;
/*
 * return_to passed oidc_page(), challenge oidc_challenge_ok(). PL_E_UPSTREAM: the provider does not answer properly.
 * With `by` also those of repo_confirm.h.
 */
void oidc_begin(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_begin *in,
    oidc_begun_fn *done, void *arg);

/* oidc_link.c: the task's caller links a provider: oidc_begin(), whose in->by is ignored. Errors of confirm_start(). */
void oidc_link(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_begin *in,
    const struct confirm_given *given, oidc_begun_fn *done, void *arg);
/* Unlinks one. PL_E_NOT_FOUND; PL_E_CONFLICT: the caller could not sign in any more; errors of confirm_start(). */
void oidc_unlink(struct svc *svc, const struct config *config, struct pl_task *task, int64_t id,
    const struct confirm_given *given, db_done_fn *done, void *arg);

/* What the provider sent the browser back with; absent: not given. */
struct oidc_return {
	const struct oidc_settings *provider;
	struct pl_str code, state, error, iss, cookie;
};
/* The address of the page with #oidc_code=, #oidc_linked=, or #oidc_error=. */
typedef void (oidc_page_fn)(void *arg, struct pl_str url);
void oidc_return(struct svc *svc, const struct config *config, struct pl_task *task, const struct oidc_return *in,
    oidc_page_fn *done, void *arg);
/* The address of a page with an error in its fragment. */
struct pl_str oidc_page_error(struct pl_pool *pool, struct pl_str page, const char *error);

/*
 * Login session and tokens for a code. PL_E_BAD_LOGIN: the code or the verifier is wrong, or the account is disabled or
 * locked. PL_E_MFA_REQUIRED: as auth_login().
 */
void oidc_login(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str code,
    struct pl_str verifier, struct auth_client client, auth_tokens_fn *done, void *arg);

#endif

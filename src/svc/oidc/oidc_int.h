/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of svc/oidc.
 */
#ifndef SVC_OIDC_INT_H
#define SVC_OIDC_INT_H

#include "json.h"
#include "svc/oidc/oidc.h"
#include "svc/svc.h"

#define OIDC_SKEW_S 60			/* maximum difference between the clock of the provider and ours */

/* ---- oidc_fetch.c ---- */

/* One request to a provider. form: POST; absent: GET. kept: a cached reply may be used. */
struct oidc_fetch {
	const char *url;
	struct pl_str form, authorization;
	bool kept;
};
/* body absent: `why` is a sentence for the log. status 0: there was no reply. */
typedef void (oidc_fetched_fn)(void *arg, int status, struct pl_str body, const char *why);
/*
 * GETs without authorization fetch documents. Replies with status 200 are cached for an hour for this section and
 * issuer. All requests meanwhile wait for one transfer, and its failure is the result for all requests within the next
 * second. If a document is cached, and it was accepted for this issuer, `done` is called before this returns; otherwise
 * later.
 */
void oidc_fetch(struct svc *svc, struct pl_task *task, const struct oidc_settings *provider,
    const struct oidc_fetch *request, oidc_fetched_fn *done, void *arg);
/* Returns whether this document was not fetched within the last interval_ms. */
bool oidc_fetch_again(struct svc *svc, const struct oidc_settings *provider, const char *url, int64_t interval_ms);
/* Drops a document that is not valid; `why` counts as a failure. */
void oidc_forget(struct svc *svc, const struct oidc_settings *provider, const char *url, const char *why);

/* ---- oidc_meta.c ---- */

/* Of a provider's metadata. */
struct oidc_meta {
	const char *authorize, *token, *keys, *userinfo;	/* addresses; userinfo NULL: none */
	bool basic;			/* the client's secret goes into Authorization */
	bool sends_iss;			/* RFC 9207 */
};
/* meta NULL: `why`. */
typedef void (oidc_meta_fn)(void *arg, const struct oidc_meta *meta, const char *why);
void oidc_meta(struct svc *svc, struct pl_task *task, const struct oidc_settings *provider, oidc_meta_fn *done,
    void *arg);
/* The same from the document. NULL: why_r. */
const struct oidc_meta *oidc_meta_read(struct pl_pool *pool, const struct oidc_settings *provider, struct pl_str json,
    const char **why_r);

/* ---- oidc_claims.c: pure ---- */

/* The required values of the claims of an ID token. now_s: Unix time. */
struct oidc_expected { struct pl_str issuer, client_id, nonce; int64_t now_s; };
/* NULL if the claims have them, else a sentence for the log. */
const char *oidc_claims_fault(const struct pl_jval *claims, const struct oidc_expected *expected);
/*
 * Reads what is known of the person from an ID token and from the reply of the userinfo endpoint (NULL: not requested).
 */
void oidc_claims_person(struct pl_pool *pool, const struct pl_jval *claims, const struct pl_jval *more,
    struct oidc_person *person);
/* Derives a user name for a new account from the names that the provider has. */
struct pl_str oidc_username(struct pl_pool *pool, struct pl_str preferred, struct pl_str email, struct pl_str name);

/* ---- oidc_identify.c ---- */

struct oidc_proof { struct pl_str code, verifier, nonce, redirect_uri; };
/* person NULL: `error` is a word for the page, and the reason is in the log. */
typedef void (oidc_person_fn)(void *arg, const struct oidc_person *person, const char *error);
/* Exchanges the code of the provider for an ID token and verifies it. */
void oidc_identify(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct oidc_settings *provider, const struct oidc_meta *meta, const struct oidc_proof *proof,
    oidc_person_fn *done, void *arg);

/* Appends "name=value" in the form of application/x-www-form-urlencoded, with "&" unless it is the first. */
void oidc_param(struct pl_buf *out, bool first, const char *name, struct pl_str value);
void oidc_log(struct pl_task *task, const struct oidc_settings *provider, const char *why);

#endif

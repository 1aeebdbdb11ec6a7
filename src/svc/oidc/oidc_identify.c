/* SPDX-License-Identifier: ISC */
/*
 * From the provider's code to a verified person:
 * token endpoint -> ID token -> key set -> signature -> claims -> [userinfo endpoint].
 *
 * What the provider sends is data of a stranger until the signature and the claims are verified. The log gets a reason,
 * never a part of a token.
 */
#include "clock.h"
#include "jws.h"
#include "leaf.h"
#include "log.h"
#include "svc/oidc/oidc_int.h"

#define ERROR_WORD_MAX 64

struct identify {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct config *config;
	CONFIG_HELD const struct oidc_settings *provider;
	const struct oidc_meta *meta;
	struct oidc_proof proof;
	struct pl_str id_token, access_token;
	const struct pl_jval *claims;
	bool refetched;
	struct oidc_person person;
	oidc_person_fn *done;
	void *arg;
};

void oidc_param(struct pl_buf *out, bool first, const char *name, struct pl_str value)
{
	pl_buf_addf(out, "%s%s=", first ? "" : "&", name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c != '\0' && strchr("-._~", c) != NULL))
			pl_buf_addc(out, c);
		else
			pl_buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

void oidc_log(struct pl_task *task, const struct oidc_settings *provider, const char *why)
{
	pl_log(PL_LOG_WARN, task, "sign-in through an identity provider failed", "provider=%s why=%s", provider->name,
	    why);
}

static void fail(struct identify *id, const char *error, const char *why)
{
	oidc_log(id->task, id->provider, why);
	id->done(id->arg, NULL, error);
}

/* ---- userinfo ---- */

static void finish(struct identify *id, const struct pl_jval *more)
{
	id->person = (struct oidc_person){ .provider = pl_str(id->provider->name),
		.issuer = pl_str(id->provider->issuer) };
	oidc_claims_person(id->task->pool, id->claims, more, &id->person);
	id->done(id->arg, &id->person, NULL);
}

static void on_userinfo(void *arg, int status, struct pl_str body, const char *why)
{
	struct identify *id = arg;
	struct pl_err err = { 0 };
	const struct pl_jval *more;

	if (why != NULL || status != 200) {
		fail(id, "provider_error", why != NULL ? why : "the userinfo endpoint did not answer with status 200");
		return;
	}
	more = pl_json_parse(id->task->pool, body, &err);
	if (more == NULL || more->type != PL_J_OBJECT)
		fail(id, "provider_error", "the userinfo endpoint did not answer with a JSON object");
	else if (!pl_str_eq(pl_json_str(pl_json_get(more, "sub")), pl_json_str(pl_json_get(id->claims, "sub"))))
		fail(id, "invalid_token", "the userinfo endpoint answered for another subject");
	else
		finish(id, more);
}

/* Many providers put addresses and names only there. */
static void ask_userinfo(struct identify *id)
{
	struct oidc_fetch request = { .url = id->meta->userinfo };
	bool known = pl_json_get(id->claims, "email") != NULL || pl_json_get(id->claims, "preferred_username") != NULL;

	if (known || id->meta->userinfo == NULL || id->access_token.ptr == NULL) {
		finish(id, NULL);
		return;
	}
	request.authorization = pl_str(pl_sprintf(id->task->pool, "Bearer %.*s", PL_FMT(id->access_token)));
	oidc_fetch(id->svc, id->task, id->provider, &request, on_userinfo, id);
}

/* ---- signature and claims ---- */

static void ask_keys(struct identify *id, bool kept);

static void on_keys(void *arg, int status, struct pl_str body, const char *why)
{
	struct identify *id = arg;
	const struct oidc_expected expected = { .issuer = pl_str(id->provider->issuer),
		.client_id = pl_str(id->provider->client_id), .nonce = id->proof.nonce,
		.now_s = pl_wall_us() / PL_US_PER_S };
	const struct pl_jwks *keys = NULL;
	enum pl_jws_result result;

	if (why == NULL && status != 200)
		why = "the key set (jwks_uri) was not answered with status 200";
	if (why == NULL)
		keys = pl_jwks_parse(id->task->pool, body, &why);
	if (keys == NULL) {
		oidc_forget(id->svc, id->provider, id->meta->keys, why);
		fail(id, "provider_error", why);
		return;
	}
	result = pl_jws_verify(id->task->pool, id->id_token, keys, &id->claims, &why);
	if (result == PL_JWS_NO_KEY && !id->refetched &&
	    oidc_fetch_again(id->svc, id->provider, id->meta->keys, id->provider->keys_interval)) {
		ask_keys(id, false);	/* the provider may have other keys now */
		return;
	}
	if (result == PL_JWS_GOOD)
		why = oidc_claims_fault(id->claims, &expected);
	if (result != PL_JWS_GOOD || why != NULL)
		fail(id, "invalid_token", pl_sprintf(id->task->pool, "the ID token is not valid: %s", why));
	else
		ask_userinfo(id);
}

static void ask_keys(struct identify *id, bool kept)
{
	struct oidc_fetch request = { .url = id->meta->keys, .kept = kept };

	id->refetched = !kept;
	oidc_fetch(id->svc, id->task, id->provider, &request, on_keys, id);
}

/* ---- the token endpoint ---- */

/* The error that the provider names, if it is a plain word. */
static const char *refusal(struct identify *id, int status, const struct pl_jval *reply)
{
	struct pl_str error = pl_json_str(pl_json_get(reply, "error"));

	for (size_t i = 0; i < error.len; i++)
		if ((error.ptr[i] < 'a' || error.ptr[i] > 'z') && error.ptr[i] != '_')
			error = PL_STR_NONE;
	if (error.len == 0 || error.len > ERROR_WORD_MAX)
		return pl_sprintf(id->task->pool, "the token endpoint answered with status %d", status);
	return pl_sprintf(id->task->pool, "the token endpoint answered with status %d: %.*s", status, PL_FMT(error));
}

static void on_tokens(void *arg, int status, struct pl_str body, const char *why)
{
	struct identify *id = arg;
	struct pl_err err = { 0 };
	const struct pl_jval *reply;

	if (why != NULL) {
		fail(id, "provider_error", why);
		return;
	}
	reply = pl_json_parse(id->task->pool, body, &err);
	if (status != 200) {
		fail(id, "provider_error", refusal(id, status, reply));
		return;
	}
	id->id_token = pl_json_str(pl_json_get(reply, "id_token"));
	id->access_token = pl_json_str(pl_json_get(reply, "access_token"));
	for (size_t i = 0; i < id->access_token.len; i++)
		if ((unsigned char)id->access_token.ptr[i] <= ' ' || (unsigned char)id->access_token.ptr[i] >= 0x7f)
			id->access_token = PL_STR_NONE;
	if (id->id_token.ptr == NULL)
		fail(id, "provider_error", "the token endpoint did not answer with a JSON object that has an id_token");
	else
		ask_keys(id, true);
}

/* RFC 6749 2.3.1: both in the form of forms, then as a user name and a password. */
static struct pl_str basic(struct pl_pool *pool, const struct oidc_settings *provider)
{
	struct pl_buf pair = PL_BUF(pool), text = PL_BUF(pool);
	struct pl_buf id = PL_BUF(pool), secret = PL_BUF(pool);

	oidc_param(&id, true, "", pl_str(provider->client_id));
	oidc_param(&secret, true, "", pl_str(provider->client_secret));
	pl_buf_addf(&pair, "%s:%s", id.ptr + 1, secret.ptr + 1);
	pl_buf_adds(&text, "Basic ");
	text.len += pl_b64_encode(pair.ptr, pair.len, pl_buf_room(&text, pair.len * 2 + 8));
	return pl_buf_str(&text);
}

void oidc_identify(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct oidc_settings *provider, const struct oidc_meta *meta, const struct oidc_proof *proof,
    oidc_person_fn *done, void *arg)
{
	struct identify *id = pl_alloc(task->pool, sizeof(*id));
	struct pl_buf form = PL_BUF(task->pool);
	struct oidc_fetch request = { .url = meta->token };
	bool secret = provider->client_secret[0] != '\0';

	*id = (struct identify){ .svc = svc, .task = task, .config = config_keep(task->pool, config),
		.provider = provider, .meta = meta, .proof = *proof, .done = done, .arg = arg };
	oidc_param(&form, true, "grant_type", PL_STR("authorization_code"));
	oidc_param(&form, false, "code", proof->code);
	oidc_param(&form, false, "redirect_uri", proof->redirect_uri);
	oidc_param(&form, false, "code_verifier", proof->verifier);
	if (secret && meta->basic)
		request.authorization = basic(task->pool, provider);
	else
		oidc_param(&form, false, "client_id", pl_str(provider->client_id));
	if (secret && !meta->basic)
		oidc_param(&form, false, "client_secret", pl_str(provider->client_secret));
	request.form = pl_buf_str(&form);
	oidc_fetch(svc, task, provider, &request, on_tokens, id);
}

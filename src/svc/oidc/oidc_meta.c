/* SPDX-License-Identifier: ISC */
/*
 * The metadata of a provider: OpenID Connect Discovery 1.0.
 */
#include "svc/oidc/oidc_int.h"

struct asking {
	struct svc *svc;
	struct pl_task *task;
	CONFIG_HELD const struct oidc_settings *provider;	/* by the caller, as long as the task */
	const char *url;
	oidc_meta_fn *done;
	void *arg;
};

/* An address in the metadata. https, or http if the provider itself has only that. NULL: absent or wrong. */
static const char *endpoint(struct pl_pool *pool, const struct oidc_settings *provider, const struct pl_jval *doc,
    const char *name)
{
	struct pl_str url = pl_json_str(pl_json_get(doc, name));
	bool plain = strncmp(provider->issuer, "http://", 7) == 0;

	if (url.ptr == NULL || url.len > 2048 ||
	    (!pl_str_starts(url, "https://") && !(plain && pl_str_starts(url, "http://"))))
		return NULL;
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= ' ' || (unsigned char)url.ptr[i] >= 0x7f ||
		    strchr("\"<>\\^`{|}#", url.ptr[i]))
			return NULL;
	return pl_str_c(pool, url);
}

static bool lists(const struct pl_jval *list, const char *word)
{
	for (const struct pl_jval *v = list != NULL ? list->first : NULL; v != NULL; v = v->next)
		if (pl_str_is(pl_json_str(v), word))
			return true;
	return false;
}

const struct oidc_meta *oidc_meta_read(struct pl_pool *pool, const struct oidc_settings *provider, struct pl_str json,
    const char **why_r)
{
	struct oidc_meta *meta = pl_alloc(pool, sizeof(*meta));
	struct pl_err err = { 0 };
	const struct pl_jval *doc = pl_json_parse(pool, json, &err), *methods, *iss;

	if (doc == NULL || doc->type != PL_J_OBJECT) {
		*why_r = "its metadata is not a JSON object";
		return NULL;
	}
	if (!pl_str_is(pl_json_str(pl_json_get(doc, "issuer")), provider->issuer)) {
		*why_r = "its metadata names another issuer than the setting issuer";
		return NULL;
	}
	*meta = (struct oidc_meta){ .authorize = endpoint(pool, provider, doc, "authorization_endpoint"),
		.token = endpoint(pool, provider, doc, "token_endpoint"),
		.keys = endpoint(pool, provider, doc, "jwks_uri"),
		.userinfo = endpoint(pool, provider, doc, "userinfo_endpoint") };
	if (meta->authorize == NULL || meta->token == NULL || meta->keys == NULL) {
		*why_r = "its metadata lacks an https:// address: authorization_endpoint, token_endpoint, or jwks_uri";
		return NULL;
	}
	methods = pl_json_get(doc, "token_endpoint_auth_methods_supported");
	meta->basic = provider->client_auth == CLIENT_AUTH_BASIC || (provider->client_auth == CLIENT_AUTH_AUTO &&
	    (methods == NULL || lists(methods, "client_secret_basic") || !lists(methods, "client_secret_post")));
	iss = pl_json_get(doc, "authorization_response_iss_parameter_supported");
	meta->sends_iss = iss != NULL && iss->type == PL_J_BOOL && iss->truth;
	return meta;
}

static void on_document(void *arg, int status, struct pl_str body, const char *why)
{
	struct asking *a = arg;
	const struct oidc_meta *meta = NULL;

	if (why == NULL && status != 200)
		why = pl_sprintf(a->task->pool, "%s: status %d", a->url, status);
	if (why == NULL)
		meta = oidc_meta_read(a->task->pool, a->provider, body, &why);
	if (meta == NULL)
		oidc_forget(a->svc, a->provider, a->url, why);
	a->done(a->arg, meta, why);
}

void oidc_meta(struct svc *svc, struct pl_task *task, const struct oidc_settings *provider, oidc_meta_fn *done,
    void *arg)
{
	struct asking *a = pl_alloc(task->pool, sizeof(*a));
	size_t len = strlen(provider->issuer);
	struct oidc_fetch request = { .kept = true };

	while (len > 0 && provider->issuer[len - 1] == '/')
		len--;
	*a = (struct asking){ .svc = svc, .task = task, .provider = provider, .done = done, .arg = arg };
	a->url = pl_sprintf(task->pool, "%.*s/.well-known/openid-configuration", (int)len, provider->issuer);
	request.url = a->url;
	oidc_fetch(svc, task, provider, &request, on_document, a);
}

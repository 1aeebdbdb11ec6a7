/* SPDX-License-Identifier: ISC */
/* Selects the dialect of an upstream, and builds the header of requests to it. */
#include "llm/llm_dialect.h"

const struct llm_dialect *llm_dialect_of(const struct upstream_settings *upstream)
{
	return upstream->dialect == DIALECT_ANTHROPIC ? &llm_anthropic : &llm_openai;
}

static struct pl_str bearer(struct pl_pool *pool, struct pl_str key)
{
	struct pl_buf text = PL_BUF(NULL);
	struct pl_secret secret;

	if (key.len == 0)
		return PL_STR_NONE;
	pl_buf_room(&text, sizeof("Bearer ") + key.len);	/* at full size, so that growing leaves no copy of
								 * the key */
	pl_buf_adds(&text, "Bearer ");
	pl_buf_addstr(&text, key);
	secret = pl_secret_copy(pool, text.ptr, text.len);
	pl_wipe(text.ptr, text.len);
	pl_buf_fini(&text);
	return pl_strn((const char *)secret.ptr, secret.len);
}

int llm_headers(struct pl_pool *pool, const struct config *config, const struct upstream_settings *upstream,
    struct pl_str key, const char *accept, struct httpc_header headers[LLM_HEADERS_MAX])
{
	int n = 0;

	headers[n++] = (struct httpc_header){ "Accept", pl_str(accept) };
	if (upstream->dialect == DIALECT_ANTHROPIC) {
		headers[n++] = (struct httpc_header){ "anthropic-version", pl_str(upstream->api_version) };
		headers[n++] = (struct httpc_header){ "x-api-key", key };
	} else if (upstream->key_header == KEY_HEADER_API_KEY) {
		headers[n++] = (struct httpc_header){ "api-key", key };
	} else {
		headers[n++] = (struct httpc_header){ "Authorization", bearer(pool, key) };
	}
	if (config_provider(upstream) == PROVIDER_OPENROUTER) {
		/*
		 * name this application for the provider's statistics; without them, requests are counted as anonymous
		 */
		headers[n++] = (struct httpc_header){ "HTTP-Referer",
			config != NULL ? pl_str(config->s.public_url) : PL_STR_NONE };
		headers[n++] = (struct httpc_header){ "X-OpenRouter-Title", PL_STR("Parlour") };
	}
	for (struct pl_str lines = pl_str(upstream->header), name, value; config_line(&lines, &name, &value);)
		headers[n++] = (struct httpc_header){ pl_str_c(pool, name), value };
	return n;
}

void llm_put_parameters(const struct upstream_settings *upstream, struct pl_jw *w)
{
	struct pl_pool *pool = NULL;

	for (struct pl_str lines = pl_str(upstream->parameter), name, value; config_line(&lines, &name, &value);) {
		if (pool == NULL)
			pool = pl_pool_new(0);
		pl_jw_kraw(w, pl_str_c(pool, name), value);
	}
	if (pool != NULL)
		pl_pool_free(&pool);
}

const char *llm_url(struct pl_pool *pool, const struct upstream_settings *upstream, const char *path)
{
	size_t len = strcspn(upstream->url, "?");
	const char *query = upstream->url + len;
	const char *more = strchr(path, '?') != NULL && query[0] == '?' ? "&" : NULL;

	while (len > 0 && upstream->url[len - 1] == '/')
		len--;
	return pl_sprintf(pool, "%.*s%s%s%s", (int)len, upstream->url, path, more != NULL ? more : "",
	    more != NULL ? query + 1 : query);
}

void llm_add_turn(struct pl_buf *turn, const struct llm_message *message)
{
	if (turn->len > 0)
		pl_buf_adds(turn, "\n\n");
	if (message->from == LLM_USER && message->name.len > 0) {
		pl_buf_addstr(turn, message->name);
		pl_buf_adds(turn, ": ");
	}
	pl_buf_addstr(turn, message->text);
}

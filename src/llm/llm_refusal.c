/* SPDX-License-Identifier: ISC */
/* Classifies errors of upstreams and writes the reports about them. */
#include <stdio.h>

#include "llm/llm_dialect.h"

enum { ERROR_POOL_BYTES = 2048, ERROR_TEXT_MAX = 160, KEY_PART = 8 };

/* Words at the beginning of keys of known providers, and words that announce a key. */
static const char *const key_words[] = { "sk-", "sk_", "gsk_", "xai-", "AIza", "eyJ", "Bearer ", "bearer ",
	"pplx-", "hf_" };

/* Some servers show secrets masked, so the beginning or the end is enough. */
static bool repeats(struct pl_str message, struct pl_str secret)
{
	size_t part = secret.len < KEY_PART ? secret.len : KEY_PART;

	return part > 0 && (memmem(message.ptr, message.len, secret.ptr, part) != NULL ||
	    memmem(message.ptr, message.len, secret.ptr + secret.len - part, part) != NULL);
}

/* Finds the key, a header that may contain one, and text that looks like any key. */
static bool has_secret(const struct llm_decoder *dec, struct pl_str message)
{
	if (repeats(message, dec->secret))
		return true;
	for (struct pl_str lines = dec->headers, name, value; config_line(&lines, &name, &value);) {
		if (value.len >= KEY_PART && repeats(message, value))
			return true;
	}
	for (size_t i = 0; i < PL_COUNT(key_words); i++) {
		if (memmem(message.ptr, message.len, key_words[i], strlen(key_words[i])) != NULL)
			return true;
	}
	return false;
}

/* Writes the message of the upstream as one short line that cannot contain the key. */
static void error_text(struct llm_decoder *dec, enum pl_code code, const char *lead, struct pl_str message)
{
	char line[ERROR_TEXT_MAX + 1];
	size_t len = pl_utf8_cut(message.ptr, message.len, ERROR_TEXT_MAX);

	if (message.ptr == NULL || len == 0 || has_secret(dec, message)) {
		pl_err_set(&dec->err, code, "%s.", lead);
		return;
	}
	for (size_t i = 0; i < len; i++)
		line[i] = (unsigned char)message.ptr[i] < 0x20 || message.ptr[i] == 0x7f ? ' ' : message.ptr[i];
	line[len] = '\0';
	pl_err_set(&dec->err, code, "%s: %s", lead, line);
}

static bool is_status_permanent(int status)
{
	if (status == 408 || status == 409 || status == 429)
		return false;
	return status >= 300 && status < 500;
}

void llm_dec_refuse(struct llm_decoder *dec, int status, struct pl_str message)
{
	char lead[80];

	dec->failed = true;
	dec->error_status = status;
	dec->permanent = dec->permanent || is_status_permanent(status);
	if (status == 401 || status == 403) {
		error_text(dec, PL_E_UPSTREAM_AUTH, "The model's server refused our key", message);
		return;
	}
	if (status >= 300 && status < 400)
		snprintf(lead, sizeof(lead), "Parlour does not follow redirects of upstreams (%d): check the url",
		    status);
	else if (status == 429)
		snprintf(lead, sizeof(lead), "The upstream is over its rate limit or quota (429)");
	else if (status > 0)
		snprintf(lead, sizeof(lead), "The upstream refused with status %d", status);
	else
		snprintf(lead, sizeof(lead), "The upstream reported an error");
	error_text(dec, PL_E_UPSTREAM, lead, message);
}

void llm_dec_refused(struct llm_decoder *dec, int status, struct pl_str body)
{
	struct pl_pool *pool = pl_pool_new(ERROR_POOL_BYTES);
	const struct pl_jval *root = NULL;
	struct pl_err ignored = { 0 };

	if (body.len > 0)
		root = llm_dec_object(pl_json_parse(pool, llm_scrub(body, &dec->scrubbed), &ignored));
	if (root != NULL)
		dec->dialect->error(dec, status, root);
	else
		llm_dec_refuse(dec, status, PL_STR_NONE);
	pl_pool_free(&pool);
}

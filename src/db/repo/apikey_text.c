/* SPDX-License-Identifier: ISC */
/*
 * The text of API keys: base32 of random bytes.
 */
#include "db/repo/apikey_text.h"

#define LEAD "pk_"
#define RANDOM_CHARS 40			/* 8 of the prefix, 32 of the secret */

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char *const words[] = { "read", "write", "chat", "v1", "admin" };

void apikey_make(struct apikey_text *key)
{
	unsigned char random[RANDOM_CHARS];
	size_t at = sizeof(LEAD) - 1;

	pl_random(random, sizeof(random));
	memcpy(key->text, LEAD, at);
	for (size_t i = 0; i < RANDOM_CHARS; i++) {
		if (at == APIKEY_PREFIX_BYTES)
			key->text[at++] = '_';
		key->text[at++] = alphabet[random[i] & 31];
	}
	key->text[at] = '\0';
	memcpy(key->prefix, key->text, APIKEY_PREFIX_BYTES);
	key->prefix[APIKEY_PREFIX_BYTES] = '\0';
	apikey_hash(pl_strn(key->text, at), key->hash);
	pl_wipe(random, sizeof(random));
}

bool apikey_like(struct pl_str text)
{
	if (text.len != APIKEY_BYTES || !pl_str_starts(text, LEAD) || text.ptr[APIKEY_PREFIX_BYTES] != '_')
		return false;
	for (size_t i = sizeof(LEAD) - 1; i < text.len; i++)
		if (i != APIKEY_PREFIX_BYTES &&
		    (text.ptr[i] == '\0' || strchr(alphabet, text.ptr[i]) == NULL))
			return false;
	return true;
}

void apikey_hash(struct pl_str text, unsigned char hash[32])
{
	pl_sha256(text.ptr, text.len, hash);
}

unsigned apikey_scope(struct pl_str word)
{
	for (size_t i = 0; i < PL_COUNT(words); i++)
		if (pl_str_is(word, words[i]))
			return 1u << i;
	return 0;
}

struct pl_str apikey_scope_words(struct pl_pool *pool, unsigned scopes)
{
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < PL_COUNT(words); i++)
		if (scopes & 1u << i)
			pl_buf_addf(&out, "%s%s", out.len > 0 ? " " : "", words[i]);
	return pl_buf_str(&out);
}

/* SPDX-License-Identifier: ISC */
/*
 * Digests, compare in constant time, and secrets that are wiped with their pool. OpenSSL does the arithmetic.
 */
#include "leaf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Fetched once per process: a fetch costs more than the digest of a short text. */
static void digest(EVP_MD **md, const char *name, const void *data, size_t bytes, unsigned char *out)
{
	if (*md == NULL)
		*md = EVP_MD_fetch(NULL, name, NULL);
	PL_BUG(*md == NULL);
	PL_BUG(EVP_Digest(data, bytes, out, NULL, *md, NULL) != 1);
}

void pl_sha256(const void *data, size_t bytes, unsigned char out[32])
{
	static EVP_MD *md;

	digest(&md, "SHA256", data, bytes, out);
}

void pl_sha1(const void *data, size_t bytes, unsigned char out[20])
{
	static EVP_MD *md;

	digest(&md, "SHA1", data, bytes, out);
}

/* A caller that continued without a MAC would refuse good links and tickets, or sign with what was on the stack. */
void pl_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes, unsigned char out[32])
{
	unsigned int n = 32;

	PL_BUG(HMAC(EVP_sha256(), key, (int)key_bytes, data, bytes, out, &n) == NULL || n != 32);
}

bool pl_ct_eq(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	return a_bytes == b_bytes && CRYPTO_memcmp(a, b, a_bytes) == 0;
}

void pl_wipe(void *data, size_t bytes)
{
	if (bytes > 0)
		OPENSSL_cleanse(data, bytes);
}

static void wipe_secret(void *arg)
{
	struct pl_secret *secret = arg;

	pl_wipe(secret->ptr, secret->len);
}

struct pl_secret pl_secret_copy(struct pl_pool *pool, const void *data, size_t bytes)
{
	struct pl_secret *secret = pl_alloc(pool, sizeof(*secret));

	*secret = (struct pl_secret){ .ptr = pl_alloc(pool, bytes + 1), .len = bytes };
	if (bytes > 0)
		memcpy(secret->ptr, data, bytes);
	pl_pool_cleanup(pool, wipe_secret, secret);
	return *secret;
}

bool pl_email_ok(struct pl_str s)
{
	const char *at = memchr(s.ptr, '@', s.len);
	const char *end = s.ptr + s.len;

	if (at == NULL || at == s.ptr || at - s.ptr > 64 || memchr(at + 1, '@', (size_t)(end - at - 1)) != NULL)
		return false;
	for (const char *p = s.ptr; p < end; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p == 127 || strchr("\"(),:;<>[\\]", *p) != NULL)
			return false;
	if (at + 1 == end || at[1] == '.' || end[-1] == '.' || memchr(at + 1, '.', (size_t)(end - at - 1)) == NULL)
		return false;
	return memmem(s.ptr, s.len, "..", 2) == NULL;
}

/* SPDX-License-Identifier: ISC */
/*
 * Tokens: the input unchanged, and as header and claims (separated by a line feed) with a valid signature.
 */
#include <openssl/hmac.h>
#include <stdlib.h>

#include "clock.h"
#include "fuzz.h"
#include "token.h"

static const char secret[] = "0dc5f4b2e8a94716b3fe5d80c2a7913e";

static void add_part(struct pl_pool *pool, struct pl_buf *out, const void *data, size_t bytes)
{
	char *text = pl_alloc(pool, bytes * 2 + 8);

	pl_buf_add(out, text, pl_b64url_encode(data, bytes, text));
}

static struct pl_str sign(struct pl_pool *pool, struct pl_str header, struct pl_str claims)
{
	struct pl_buf text = PL_BUF(pool);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_bytes = 0;

	add_part(pool, &text, header.ptr, header.len);
	pl_buf_addc(&text, '.');
	add_part(pool, &text, claims.ptr, claims.len);
	HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (unsigned char *)text.ptr, text.len, mac, &mac_bytes);
	pl_buf_addc(&text, '.');
	add_part(pool, &text, mac, mac_bytes);
	return pl_buf_str(&text);
}

static bool verify(struct pl_str text, const struct pl_token_key *key)
{
	struct pl_token token = { 0 };
	struct pl_err err;
	bool ok = pl_token_verify(text, key, "parlour", PL_TOKEN_ACCESS, &token, &err);

	if (ok && (token.user_id < 1 || token.login_id < 1 || token.expires_s <= 1800000000 || token.access < 0 ||
	    strnlen(token.name, sizeof(token.name)) == sizeof(token.name)))
		abort();
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_str input = pl_strn((const char *)data, size), header;
	struct pl_pool *pool;
	struct pl_token_key key = { .kid = "0011223344556677" };

	if (size == 0 || size > 4096)
		return 0;
	pool = pl_pool_new(0);
	pl_clock_fake(1, 1800000000 * PL_US_PER_S);
	key.secret = pl_secret_copy(pool, secret, sizeof(secret) - 1);
	/* A fuzzer cannot guess a signature. */
	if (verify(input, &key))
		abort();
	if (pl_str_cut(&input, '\n', &header) && input.ptr != NULL)
		PL_UNUSED(verify(sign(pool, header, input), &key));
	pl_pool_free(&pool);
	return 0;
}

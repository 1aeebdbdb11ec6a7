/* SPDX-License-Identifier: ISC */
/*
 * A key ring in use: sign with one key, verify with all.
 */
#include "keyring.h"

#include <string.h>

#include "clock.h"

enum { KID_LEN = 16, MAC_MIN = 16, HEAD_MAX = 512 };

void pl_keyring_add(struct pl_pool *pool, struct pl_keyring *ring, struct pl_str secret, int64_t made_s)
{
	struct pl_token_key *key = &ring->keys[ring->count];
	unsigned char digest[32];
	uint64_t number;

	PL_BUG(ring->count == PL_KEYRING_KEYS);
	key->secret = pl_secret_copy(pool, secret.ptr, secret.len);
	pl_sha256(secret.ptr, secret.len, digest);
	pl_hex(digest, KID_LEN / 2, key->kid);
	memcpy(&number, digest, sizeof(number));
	number = number != 0 ? number : 1;
	ring->numbers[ring->count] = number;
	ring->tag ^= number;
	ring->made_s[ring->count++] = made_s;
}

static void add_hex(struct pl_buf *out, const void *data, size_t bytes)
{
	char *text = pl_new(2 * bytes + 1);

	pl_hex(data, bytes, text);
	pl_buf_add(out, text, 2 * bytes);
	pl_wipe(text, 2 * bytes);
	pl_free(text);
}

void pl_keyring_format(const struct pl_keyring *ring, struct pl_buf *out)
{
	char when[PL_TIME_LEN];

	pl_buf_adds(out, PL_KEYRING_HEAD "\n# The first key signs, all verify. See parlour.conf(5); change this file "
	    "with parlourctl token-key.\n");
	for (int i = 0; i < ring->count; i++) {
		pl_time_format(ring->made_s[i] * PL_US_PER_S, when);
		pl_buf_addf(out, "key %.19sZ ", when);
		add_hex(out, ring->keys[i].secret.ptr, ring->keys[i].secret.len);
		pl_buf_adds(out, "\n");
	}
	for (int i = 0; i < ring->seals.count; i++) {
		pl_buf_adds(out, "seal ");
		add_hex(out, ring->seals.keys[i].key, sizeof(ring->seals.keys[i].key));
		pl_buf_adds(out, "\n");
	}
}

int pl_keyring_find(const struct pl_keyring *ring, const char *kid)
{
	for (int i = 0; i < ring->count; i++)
		if (strcmp(ring->keys[i].kid, kid) == 0)
			return i;
	return -1;
}

const struct pl_token_key *pl_keyring_signer(const struct pl_keyring *ring)
{
	PL_BUG(ring->count == 0);
	return &ring->keys[ring->sign];
}

bool pl_keyring_has(const struct pl_keyring *ring, uint64_t number)
{
	for (int i = 0; i < ring->count; i++)
		if (ring->numbers[i] == number)
			return true;
	return false;
}

/*
 * Which key a token is to be checked with. Only a hint, read from the header before anything was verified:
 * pl_token_verify() compares the id itself. Without a known id the first key refuses the token.
 */
static const struct pl_token_key *named_key(const struct pl_keyring *ring, struct pl_str text)
{
	unsigned char head[HEAD_MAX];
	struct pl_str part;
	size_t n;

	PL_BUG(ring->count == 0);
	if (ring->count == 1 || text.ptr == NULL || !pl_str_cut(&text, '.', &part) || part.len > HEAD_MAX ||
	    !pl_b64url_decode(part, head, sizeof(head), &n))
		return &ring->keys[0];
	for (int i = 0; i < ring->count; i++)
		if (memmem(head, n, ring->keys[i].kid, KID_LEN) != NULL)
			return &ring->keys[i];
	return &ring->keys[0];
}

bool pl_keyring_verify(struct pl_str text, const struct pl_keyring *ring, const char *issuer, enum pl_token_type type,
    struct pl_token *token_r, struct pl_err *err)
{
	const struct pl_token_key *key = named_key(ring, text);

	if (!pl_token_verify(text, key, issuer, type, token_r, err))
		return false;
	token_r->signed_by = ring->numbers[key - ring->keys];
	return true;
}

void pl_keyring_mac(const struct pl_keyring *ring, const void *text, size_t bytes, unsigned char mac_r[32])
{
	const struct pl_token_key *key = pl_keyring_signer(ring);

	pl_hmac_sha256(key->secret.ptr, key->secret.len, text, bytes, mac_r);
}

bool pl_keyring_mac_ok(const struct pl_keyring *ring, const void *text, size_t bytes, const void *mac,
    size_t mac_bytes, uint64_t *number_r)
{
	unsigned char made[32];

	PL_BUG(mac_bytes < MAC_MIN || mac_bytes > sizeof(made));
	for (int i = 0; i < ring->count; i++) {
		const struct pl_token_key *key = &ring->keys[i];

		pl_hmac_sha256(key->secret.ptr, key->secret.len, text, bytes, made);
		if (!pl_ct_eq(made, mac_bytes, mac, mac_bytes))
			continue;
		if (number_r != NULL)
			*number_r = ring->numbers[i];
		return true;
	}
	return false;
}

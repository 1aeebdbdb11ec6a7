/* SPDX-License-Identifier: ISC */
/*
 * AES-256-GCM over OpenSSL's EVP, and the ring of keys.
 */
#include "seal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1
#define ID_BYTES 8
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HEAD_BYTES (1 + ID_BYTES + NONCE_BYTES)
_Static_assert(HEAD_BYTES + TAG_BYTES == PL_SEAL_OVERHEAD, "overhead");

static void key_name(struct pl_seal_key *key)
{
	unsigned char hash[32];

	pl_sha256(key->key, sizeof(key->key), hash);
	memcpy(key->id, hash, sizeof(key->id));
}

void pl_seal_ring_derive(struct pl_seal_ring *ring, const void *secret, size_t bytes)
{
	static const char label[] = "parlour: sealed values";

	memset(ring, 0, sizeof(*ring));
	pl_hmac_sha256(secret, bytes, label, sizeof(label) - 1, ring->keys[0].key);
	key_name(&ring->keys[0]);
	ring->count = 1;
}

static bool add_key(struct pl_seal_ring *ring, struct pl_seal_key *key)
{
	key_name(key);
	for (int i = 0; i < ring->count; i++)
		if (memcmp(ring->keys[i].key, key->key, sizeof(key->key)) == 0)
			return true;
	if (ring->count == (int)PL_COUNT(ring->keys))
		return false;
	ring->keys[ring->count++] = *key;
	return true;
}

bool pl_seal_ring_add(struct pl_seal_ring *ring, struct pl_str digits)
{
	struct pl_seal_key key;
	bool good = digits.len == 2 * sizeof(key.key) && pl_unhex(digits, key.key, sizeof(key.key)) &&
	    add_key(ring, &key);

	pl_wipe(&key, sizeof(key));
	return good;
}

bool pl_seal_ring_join(struct pl_seal_ring *ring, const struct pl_seal_ring *other)
{
	bool good = true;

	for (int i = 0; i < other->count; i++) {
		struct pl_seal_key key = other->keys[i];

		good = add_key(ring, &key) && good;
		pl_wipe(&key, sizeof(key));
	}
	return good;
}

bool pl_seal_ring_load(struct pl_seal_ring *ring, const char *path, char why[256])
{
	FILE *file = fopen(path, "re");
	char line[256];
	int number = 0;

	memset(ring, 0, sizeof(*ring));
	if (file == NULL) {
		snprintf(why, 256, "cannot read %s: %s", path, strerror(errno));
		return false;
	}
	why[0] = '\0';
	while (why[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
		struct pl_str text = pl_str_trim(pl_strn(line, strcspn(line, "\r\n")));

		number++;
		if (text.len == 0 || text.ptr[0] == '#')
			continue;
		if (ring->count == PL_SEAL_KEYS)
			snprintf(why, 256, "%s:%d: at most %d keys", path, number, PL_SEAL_KEYS);
		else if (text.len != 64 || !pl_unhex(text, ring->keys[ring->count].key, 32))
			snprintf(why, 256,
			    "%s:%d: a key is 64 hex digits; generate one with: openssl rand -hex 32", path,
			    number);
		else
			key_name(&ring->keys[ring->count++]);
	}
	pl_wipe(line, sizeof(line));
	fclose(file);
	if (why[0] == '\0' && ring->count == 0)
		snprintf(why, 256, "%s contains no key; generate one with: openssl rand -hex 32", path);
	return why[0] == '\0';
}

struct pl_str pl_seal(struct pl_pool *pool, const struct pl_seal_ring *ring, struct pl_str context, struct pl_str plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char *out = pl_alloc(pool, plain.len + PL_SEAL_OVERHEAD);
	unsigned char *nonce = out + 1 + ID_BYTES, *text = out + HEAD_BYTES;
	int n;

	PL_BUG(ring->count == 0 || ctx == NULL);
	out[0] = VERSION;
	memcpy(out + 1, ring->keys[0].id, ID_BYTES);
	pl_random(nonce, NONCE_BYTES);
	PL_BUG(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, ring->keys[0].key, nonce) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)context.ptr, (int)context.len) != 1 ||
	    EVP_EncryptUpdate(ctx, text, &n, (const unsigned char *)plain.ptr, (int)plain.len) != 1 ||
	    EVP_EncryptFinal_ex(ctx, text + plain.len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, text + plain.len) != 1);
	EVP_CIPHER_CTX_free(ctx);
	return pl_strn((const char *)out, plain.len + PL_SEAL_OVERHEAD);
}

static const struct pl_seal_key *find_key(const struct pl_seal_ring *ring, const unsigned char *id)
{
	for (int i = 0; i < ring->count; i++)
		if (memcmp(ring->keys[i].id, id, ID_BYTES) == 0)
			return &ring->keys[i];
	return NULL;
}

bool pl_unseal(struct pl_pool *pool, const struct pl_seal_ring *ring, struct pl_str context, struct pl_str sealed,
    struct pl_str *plain_r)
{
	const unsigned char *in = (const unsigned char *)sealed.ptr;
	const struct pl_seal_key *key;
	struct pl_secret plain;
	EVP_CIPHER_CTX *ctx;
	size_t length;
	int n;
	bool good;

	if (sealed.len < PL_SEAL_OVERHEAD || in[0] != VERSION || (key = find_key(ring, in + 1)) == NULL)
		return false;
	length = sealed.len - PL_SEAL_OVERHEAD;
	plain = pl_secret_copy(pool, in + HEAD_BYTES, length);
	ctx = EVP_CIPHER_CTX_new();
	/* Only the last step compares anything; before it, nothing in the sealed bytes can make a call fail. */
	PL_BUG(ctx == NULL || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, in + 1 + ID_BYTES) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)context.ptr, (int)context.len) != 1 ||
	    EVP_DecryptUpdate(ctx, plain.ptr, &n, in + HEAD_BYTES, (int)length) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
	    (void *)(uintptr_t)(in + HEAD_BYTES + length)) != 1);
	good = EVP_DecryptFinal_ex(ctx, plain.ptr + length, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	*plain_r = good ? pl_strn((const char *)plain.ptr, length) : PL_STR_NONE;
	return good;
}

void pl_seal_mac(const struct pl_seal_ring *ring, struct pl_str text, unsigned char out[32])
{
	const struct pl_seal_key *key = &ring->keys[0];

	pl_hmac_sha256(key->key, sizeof(key->key), text.ptr, text.len, out);
}

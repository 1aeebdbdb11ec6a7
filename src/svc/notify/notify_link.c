/* SPDX-License-Identifier: ISC */
/*
 * The token: version 1, id of the user (8 bytes, big-endian), and HMAC-SHA256 cut to 16 bytes; all in base64url.
 */
#include "svc/notify/notify_link.h"

#include "leaf.h"

#define DATA_BYTES 9
#define MAC_BYTES 16
#define LINK_VERSION 1
#define KIND "unsubscribe:"	/* the key also signs other things; the word keeps them apart */
#define KIND_BYTES (sizeof(KIND) - 1)

static void signed_text(const unsigned char data[DATA_BYTES], unsigned char text_r[KIND_BYTES + DATA_BYTES])
{
	memcpy(text_r, KIND, KIND_BYTES);
	memcpy(text_r + KIND_BYTES, data, DATA_BYTES);
}

struct pl_str notify_link_make(const struct config *config, struct pl_pool *pool, int64_t user_id)
{
	unsigned char bytes[DATA_BYTES + MAC_BYTES] = { LINK_VERSION }, text[KIND_BYTES + DATA_BYTES], mac[32];
	char *out = pl_alloc(pool, sizeof(bytes) * 2);

	for (int i = 0; i < 8; i++)
		bytes[1 + i] = (unsigned char)((uint64_t)user_id >> (56 - 8 * i));
	signed_text(bytes, text);
	pl_keyring_mac(&config->keys, text, sizeof(text), mac);
	memcpy(bytes + DATA_BYTES, mac, MAC_BYTES);
	return pl_strn(out, pl_b64url_encode(bytes, sizeof(bytes), out));
}

bool notify_link_read(const struct config *config, struct pl_str token, int64_t *user_id_r)
{
	unsigned char bytes[DATA_BYTES + MAC_BYTES], text[KIND_BYTES + DATA_BYTES];
	uint64_t id = 0;
	size_t n;

	if (!pl_b64url_decode(token, bytes, sizeof(bytes), &n) || n != sizeof(bytes))
		return false;
	signed_text(bytes, text);
	if (!pl_keyring_mac_ok(&config->keys, text, sizeof(text), bytes + DATA_BYTES, MAC_BYTES, NULL) ||
	    bytes[0] != LINK_VERSION)
		return false;
	for (int i = 0; i < 8; i++)
		id = id << 8 | bytes[1 + i];
	*user_id_r = (int64_t)id;
	return true;
}

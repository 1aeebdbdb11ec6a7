/* SPDX-License-Identifier: ISC */
/*
 * The link's token: version 1, UUID (16 bytes), seconds since 1970 (8, big-endian), and HMAC-SHA256 cut to 16 bytes;
 * all in base64url.
 */
#include "svc/feedback/answer_link.h"

#include "leaf.h"

#define DATA_BYTES 25
#define MAC_BYTES 16
#define LINK_VERSION 1

/* The key also signs tokens and tickets, so the prefix keeps the three apart. */
static void signed_text(const unsigned char data[DATA_BYTES], unsigned char text_r[7 + DATA_BYTES])
{
	memcpy(text_r, "answer:", 7);
	memcpy(text_r + 7, data, DATA_BYTES);
}

struct pl_str answer_link_make(const struct config *config, struct pl_pool *pool, struct pl_str id, int64_t until_s)
{
	unsigned char bytes[DATA_BYTES + MAC_BYTES] = { LINK_VERSION }, text[7 + DATA_BYTES], mac[32];
	char *out = pl_alloc(pool, sizeof(bytes) * 2), digits[32];
	size_t n = 0;

	PL_BUG(!pl_uuid_ok(id));
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i] != '-')
			digits[n++] = id.ptr[i];
	PL_BUG(!pl_unhex(pl_strn(digits, 32), bytes + 1, 16));
	for (int i = 0; i < 8; i++)
		bytes[17 + i] = (unsigned char)((uint64_t)until_s >> (56 - 8 * i));
	signed_text(bytes, text);
	pl_keyring_mac(&config->keys, text, sizeof(text), mac);
	memcpy(bytes + DATA_BYTES, mac, MAC_BYTES);
	n = pl_b64url_encode(bytes, sizeof(bytes), out);
	return pl_strn(out, n);
}

enum answer_link answer_link_read(const struct config *config, struct pl_str token, int64_t now_s,
    char id_r[PL_UUID_LEN + 1])
{
	unsigned char bytes[DATA_BYTES + MAC_BYTES], text[7 + DATA_BYTES];
	uint64_t until_s = 0;
	char digits[33], *out = id_r;
	size_t n;

	if (!pl_b64url_decode(token, bytes, sizeof(bytes), &n) || n != sizeof(bytes))
		return ANSWER_LINK_BAD;
	signed_text(bytes, text);
	if (!pl_keyring_mac_ok(&config->keys, text, sizeof(text), bytes + DATA_BYTES, MAC_BYTES, NULL) ||
	    bytes[0] != LINK_VERSION)
		return ANSWER_LINK_BAD;
	pl_hex(bytes + 1, 16, digits);
	for (int i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*out++ = '-';
		*out++ = digits[i];
	}
	*out = '\0';
	for (int i = 0; i < 8; i++)
		until_s = until_s << 8 | bytes[17 + i];
	return (int64_t)until_s > now_s ? ANSWER_LINK_GOOD : ANSWER_LINK_EXPIRED;
}

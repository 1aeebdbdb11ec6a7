/* SPDX-License-Identifier: ISC */
/*
 * HMAC-SHA1 by OpenSSL; the rest is RFC 4226 section 5.3.
 */
#include "totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "leaf.h"

#define SHA1_BYTES 20
#define MODULUS 1000000u		/* 10 to the power of PL_TOTP_DIGITS */

size_t pl_base32_encode(const void *data, size_t bytes, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	const unsigned char *in = data;
	uint32_t bits = 0;
	size_t n = 0;
	int held = 0;

	for (size_t i = 0; i < bytes; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 5; held -= 5)
			out[n++] = alphabet[bits >> (held - 5) & 31];
	}
	if (held > 0)
		out[n++] = alphabet[bits << (5 - held) & 31];
	out[n] = '\0';
	return n;
}

void pl_totp_code(const unsigned char secret[PL_TOTP_SECRET], int64_t step, char out[PL_TOTP_DIGITS + 1])
{
	unsigned char counter[8], mac[SHA1_BYTES];
	unsigned int mac_bytes = 0;
	uint32_t number;
	size_t at;

	for (int i = 0; i < 8; i++)
		counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
	PL_BUG(HMAC(EVP_sha1(), secret, PL_TOTP_SECRET, counter, sizeof(counter), mac, &mac_bytes) == NULL ||
	    mac_bytes != SHA1_BYTES);
	at = mac[SHA1_BYTES - 1] & 15u;
	number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 |
	    mac[at + 3];
	snprintf(out, PL_TOTP_DIGITS + 1, "%06u", number % MODULUS);
}

/* The digits without blanks; false: it is not a code. */
static bool code_read(struct pl_str text, char out[PL_TOTP_DIGITS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == ' ')
			continue;
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || n == PL_TOTP_DIGITS)
			return false;
		out[n++] = text.ptr[i];
	}
	out[n] = '\0';
	return n == PL_TOTP_DIGITS;
}

int64_t pl_totp_find(const unsigned char secret[PL_TOTP_SECRET], struct pl_str code, int64_t now_s)
{
	char given[PL_TOTP_DIGITS + 1], good[PL_TOTP_DIGITS + 1];
	int64_t now = now_s / PL_TOTP_STEP_S, found = 0;

	if (!code_read(code, given))
		return 0;
	for (int64_t step = now - PL_TOTP_WINDOW; step <= now + PL_TOTP_WINDOW; step++) {
		pl_totp_code(secret, step, good);
		if (pl_ct_eq(given, PL_TOTP_DIGITS, good, PL_TOTP_DIGITS))
			found = step;
	}
	return found;
}

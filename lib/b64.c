/* SPDX-License-Identifier: ISC */
/*
 * Base64 (RFC 4648 sections 4 and 5) and hex.
 */
#include "leaf.h"

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const unsigned char *in, size_t bytes, const char *alphabet, char *out)
{
	char *start = out;
	size_t left = bytes;

	for (; left >= 3; left -= 3, in += 3) {
		*out++ = alphabet[in[0] >> 2];
		*out++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
		*out++ = alphabet[in[2] & 63];
	}
	if (left > 0) {
		unsigned second = left == 2 ? in[1] : 0;

		*out++ = alphabet[in[0] >> 2];
		*out++ = alphabet[(in[0] & 3) << 4 | second >> 4];
		if (left == 2)
			*out++ = alphabet[(second & 15) << 2];
	}
	*out = '\0';
	return (size_t)(out - start);
}

size_t pl_b64url_encode(const void *data, size_t bytes, char *out)
{
	return encode(data, bytes, url_alphabet, out);
}

size_t pl_b64_encode(const void *data, size_t bytes, char *out)
{
	size_t len = encode(data, bytes, std_alphabet, out);

	while (len % 4 != 0)
		out[len++] = '=';
	out[len] = '\0';
	return len;
}

static int url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

/* Bits that the last character carries beyond the data must be zero: one value has one text only. */
bool pl_b64url_decode(struct pl_str text, void *out, size_t cap, size_t *bytes_r)
{
	size_t need = text.len / 4 * 3 + (text.len % 4 * 3) / 4;
	unsigned char *to = out;
	unsigned bits = 0;
	int have = 0;

	if (text.ptr == NULL || text.len % 4 == 1 || need > cap)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = url_value(text.ptr[i]);

		if (value < 0)
			return false;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (unsigned char)(bits >> have);
		}
	}
	if ((bits & ((1u << have) - 1)) != 0)
		return false;
	*bytes_r = need;
	return true;
}

void pl_hex(const void *data, size_t bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = data;

	for (size_t i = 0; i < bytes; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool pl_unhex(struct pl_str text, void *out, size_t bytes)
{
	unsigned char *to = out;

	if (text.ptr == NULL || text.len % 2 != 0 || text.len / 2 != bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

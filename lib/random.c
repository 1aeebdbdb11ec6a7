/* SPDX-License-Identifier: ISC */
/*
 * Random bytes from the kernel and what is made of them. No state in user space: nothing to reseed after fork(2).
 */
#include "leaf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"

void pl_random(void *out, size_t bytes)
{
	unsigned char *to = out;

	while (bytes > 0) {
		ssize_t got = getrandom(to, bytes, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			pl_log(PL_LOG_ERROR, NULL, "no random numbers", "errno=%d", errno);
			abort();
		}
		to += got;
		bytes -= (size_t)got;
	}
}

uint64_t pl_random_u64(void)
{
	uint64_t value;

	pl_random(&value, sizeof(value));
	return value;
}

/* The high half of a 64-bit product; its bias, below 2^-32, does not matter for what this is for. */
uint32_t pl_jitter(uint32_t below)
{
	return (uint32_t)((pl_random_u64() >> 32) * below >> 32);
}

void pl_uuid_of(const unsigned char bytes[16], char out[PL_UUID_LEN + 1])
{
	static const unsigned char group_bytes[] = { 4, 2, 2, 2, 6 };
	unsigned char raw[16];
	const unsigned char *from = raw;

	memcpy(raw, bytes, sizeof(raw));
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < PL_COUNT(group_bytes); i++) {
		if (i > 0)
			*out++ = '-';
		pl_hex(from, group_bytes[i], out);
		from += group_bytes[i];
		out += 2 * group_bytes[i];
	}
}

void pl_uuid_make(char out[PL_UUID_LEN + 1])
{
	unsigned char raw[16];

	pl_random(raw, sizeof(raw));
	pl_uuid_of(raw, out);
}

bool pl_uuid_ok(struct pl_str text)
{
	if (text.ptr == NULL || text.len != PL_UUID_LEN)
		return false;
	for (size_t i = 0; i < PL_UUID_LEN; i++) {
		char c = text.ptr[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (dash ? c != '-' : !hex)
			return false;
	}
	return true;
}

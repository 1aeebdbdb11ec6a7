/* SPDX-License-Identifier: ISC */
/*
 * SipHash-2-4 with 64 and 128 bits of output. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 */
#include "leaf.h"

struct state { uint64_t v0, v1, v2, v3; };

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t load_le(const unsigned char *in, size_t bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < bytes; i++)
		word |= (uint64_t)in[i] << (8 * i);
	return word;
}

static inline void rounds(struct state *s, int count)
{
	while (count-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

static struct state digest(const struct pl_sipkey *key, const unsigned char *in, size_t bytes, uint64_t variant)
{
	struct state s = {
		.v0 = key->k[0] ^ 0x736f6d6570736575u,
		.v1 = key->k[1] ^ 0x646f72616e646f6du ^ variant,
		.v2 = key->k[0] ^ 0x6c7967656e657261u,
		.v3 = key->k[1] ^ 0x7465646279746573u,
	};
	size_t left = bytes;

	for (; left >= 8; left -= 8, in += 8)
		absorb(&s, load_le(in, 8));
	absorb(&s, load_le(in, left) | (uint64_t)(bytes & 0xff) << 56);
	return s;
}

static inline uint64_t fold(const struct state *s)
{
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t pl_siphash(const struct pl_sipkey *key, const void *data, size_t bytes)
{
	struct state s = digest(key, data, bytes, 0);

	s.v2 ^= 0xff;
	rounds(&s, 4);
	return fold(&s);
}

void pl_siphash128(const struct pl_sipkey *key, const void *data, size_t bytes, uint64_t out[2])
{
	struct state s = digest(key, data, bytes, 0xee);

	s.v2 ^= 0xee;
	rounds(&s, 4);
	out[0] = fold(&s);
	s.v1 ^= 0xdd;
	rounds(&s, 4);
	out[1] = fold(&s);
}

/* SPDX-License-Identifier: ISC */
/*
 * Small functions without dependencies: random bytes, base64url, hex, UUIDs, keyed hashes, constant-time compare,
 * secrets.
 */
#ifndef PL_LEAF_H
#define PL_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/* Random bytes from the kernel (getrandom(2)); aborts if there are none. */
void pl_random(void *out, size_t bytes);
uint64_t pl_random_u64(void);
/* Uniform in [0, below); not for secrets (jitter, back-off). */
uint32_t pl_jitter(uint32_t below);

/* RFC 4648 section 5 without padding. encode: out holds (n*4+2)/3 bytes + NUL, returns the length. */
size_t pl_b64url_encode(const void *data, size_t bytes, char *out);
bool pl_b64url_decode(struct pl_str text, void *out, size_t cap, size_t *bytes_r) PL_MUSTCHECK;
/* Standard alphabet with padding (Sec-WebSocket-Accept, basic auth). */
size_t pl_b64_encode(const void *data, size_t bytes, char *out);

void pl_hex(const void *data, size_t bytes, char *out); /* 2*bytes + NUL, lower case */
bool pl_unhex(struct pl_str text, void *out, size_t bytes) PL_MUSTCHECK;

#define PL_UUID_LEN 36
/* RFC 9562 version 4, 36 characters + NUL. */
void pl_uuid_make(char out[PL_UUID_LEN + 1]);
/* The same with given bytes; 6 of the 128 bits are replaced by version and variant. */
void pl_uuid_of(const unsigned char bytes[16], char out[PL_UUID_LEN + 1]);
bool pl_uuid_ok(struct pl_str text);
/* An e-mail address: one '@', something before it, a dotted name after it, and nothing that could end a header line. */
bool pl_email_ok(struct pl_str text);

/* SipHash-2-4 (Aumasson, Bernstein), 64 and 128 bit. */
struct pl_sipkey { uint64_t k[2]; };
uint64_t pl_siphash(const struct pl_sipkey *key, const void *data, size_t bytes);
void pl_siphash128(const struct pl_sipkey *key, const void *data, size_t bytes, uint64_t out[2]);

void pl_sha256(const void *data, size_t bytes, unsigned char out[32]);
void pl_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes, unsigned char out[32]);
void pl_sha1(const void *data, size_t bytes, unsigned char out[20]); /* RFC 6455 accept key only */

/* true when equal; time depends on the lengths only. */
bool pl_ct_eq(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/* A secret that is wiped when its pool dies. There is no way to print one. */
struct pl_secret { unsigned char *ptr; size_t len; };
struct pl_secret pl_secret_copy(struct pl_pool *pool, const void *data, size_t bytes);
void pl_wipe(void *data, size_t bytes);

#endif

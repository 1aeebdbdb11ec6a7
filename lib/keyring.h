/* SPDX-License-Identifier: ISC */
/*
 * The keys of an installation: what signs tokens, links, and tickets, and what encrypts values in the database.
 *
 * The file is either one key (any bytes), or a key ring:
 *
 *     parlour-keys 1
 *     key 2026-11-29T08:00:00Z HEX		newest first: the first one signs, all verify
 *     key 2026-03-01T10:30:00Z HEX
 *     seal HEX					encrypts values in the database; with several, the first one does
 *
 * The time is when the key was made. Empty lines and lines that begin with `#` are ignored.
 */
#ifndef PL_KEYRING_H
#define PL_KEYRING_H

#include "seal.h"
#include "token.h"

#define PL_KEYRING_KEYS 16
#define PL_KEYRING_HEAD "parlour-keys 1"

struct pl_keyring {
	struct pl_token_key keys[PL_KEYRING_KEYS];
	uint64_t numbers[PL_KEYRING_KEYS];	/* the ids of the keys as numbers; never 0 */
	uint64_t tag;				/* of the set, in any order: changes when a key joins or leaves */
	int64_t made_s[PL_KEYRING_KEYS];	/* of a file with one key: when the file was changed */
	int count;
	int sign;				/* which one signs; not 0 while a process lacks keys[0] */
	bool single;				/* the file has one key and is not a ring */
	struct pl_seal_ring seals;		/* of the lines `seal`; of a file with one key: derived from it */
};

/*
 * Reads a key file: mode without group write and without access for others; each key at least 32 bytes, not a known
 * sample value, not one byte repeated. On errors, why[] has the file, the line, the rule, and what to do.
 */
bool pl_keyring_load(struct pl_pool *pool, const char *path, struct pl_keyring *ring_r, char why[256]) PL_MUSTCHECK;
/* Copies `secret` to the end of the ring, which must have room. */
void pl_keyring_add(struct pl_pool *pool, struct pl_keyring *ring, struct pl_str secret, int64_t made_s);
/* The ring as the text of a file, in a pool of the caller, who wipes it. */
void pl_keyring_format(const struct pl_keyring *ring, struct pl_buf *out);
/* The index of the key with this id, or -1. */
int pl_keyring_find(const struct pl_keyring *ring, const char *kid);
const struct pl_token_key *pl_keyring_signer(const struct pl_keyring *ring);
/* Whether a key with this number is in the ring. */
bool pl_keyring_has(const struct pl_keyring *ring, uint64_t number);

/* pl_token_verify() with the key that the token names. Errors as there. */
bool pl_keyring_verify(struct pl_str text, const struct pl_keyring *ring, const char *issuer, enum pl_token_type type,
    struct pl_token *token_r, struct pl_err *err) PL_MUSTCHECK;
/* HMAC-SHA256 of the key that signs. `text` begins with a word for what it is. */
void pl_keyring_mac(const struct pl_keyring *ring, const void *text, size_t bytes, unsigned char mac_r[32]);
/*
 * Whether `mac` (mac_bytes, at least 16) is the beginning of such an HMAC by any key of the ring; *number_r: its
 * number. number_r may be NULL.
 */
bool pl_keyring_mac_ok(const struct pl_keyring *ring, const void *text, size_t bytes, const void *mac,
    size_t mac_bytes, uint64_t *number_r) PL_MUSTCHECK;

#endif

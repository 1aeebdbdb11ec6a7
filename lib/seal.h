/* SPDX-License-Identifier: ISC */
/*
 * Encrypts small secrets for the database with AES-256-GCM (NIST SP 800-38D). The key ring is not in the database.
 *
 * A sealed value is version (1 byte), key id (8 bytes), nonce (12), ciphertext, tag (16). `context` is bound as
 * additional data, so that a value that was moved to another row cannot be decrypted.
 */
#ifndef PL_SEAL_H
#define PL_SEAL_H

#include <stdbool.h>

#include "leaf.h"

#define PL_SEAL_OVERHEAD 37
#define PL_SEAL_KEYS 8			/* of one file */

struct pl_seal_key { unsigned char id[8], key[32]; };
struct pl_seal_ring { struct pl_seal_key keys[2 * PL_SEAL_KEYS]; int count; };	/* keys[0] encrypts, all decrypt */

/*
 * Fills the ring with one key that is derived from another secret (HMAC-SHA256 of a label), for installations without a
 * key ring file.
 */
void pl_seal_ring_derive(struct pl_seal_ring *ring, const void *secret, size_t bytes);
/* Lines of 64 hex digits, the newest first; '#' comments. Errors: a sentence in why[]. */
bool pl_seal_ring_load(struct pl_seal_ring *ring, const char *path, char why[256]) PL_MUSTCHECK;
/* Adds 64 hex digits as the oldest key. false: they are not, or the ring is full. A key that is in it is not added. */
bool pl_seal_ring_add(struct pl_seal_ring *ring, struct pl_str digits) PL_MUSTCHECK;
/* Adds the keys of another ring as the oldest ones. false: there is no room. */
bool pl_seal_ring_join(struct pl_seal_ring *ring, const struct pl_seal_ring *other) PL_MUSTCHECK;
/* Sealed bytes in pool. */
struct pl_str pl_seal(struct pl_pool *pool, const struct pl_seal_ring *ring, struct pl_str context,
    struct pl_str plain);
/* false: not sealed by a key of the ring, moved, or damaged. plain_r is in pool and wiped when the pool dies. */
bool pl_unseal(struct pl_pool *pool, const struct pl_seal_ring *ring, struct pl_str context, struct pl_str sealed,
    struct pl_str *plain_r) PL_MUSTCHECK;
/* HMAC-SHA256 under the first key: to recognize a value whose unkeyed hash would reveal it by guessing. */
void pl_seal_mac(const struct pl_seal_ring *ring, struct pl_str text, unsigned char out[32]);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Argon2id hashes (RFC 9106) in the PHC string form; slow on purpose: only the hasher process calls these. Hashes of
 * bcrypt ($2a$, $2b$, $2y$, cost up to 16) are verified too: accounts that were imported have them until the first
 * login.
 */
#ifndef PL_PASSWD_H
#define PL_PASSWD_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define PL_PASSWD_MAX 1024		/* bytes of a password */
#define PL_PASSWD_HASH_MAX 128		/* bytes of an encoded hash with NUL */

struct pl_passwd_cost { uint32_t passes, memory_kib, lanes; };	/* OWASP minimum: 2, 19456, 1 */

bool pl_passwd_hash(struct pl_str password, struct pl_passwd_cost cost, char out[PL_PASSWD_HASH_MAX]) PL_MUSTCHECK;
/*
 * true when it matches. encoded absent or unreadable: spends the same time on a dummy hash and returns false, so that
 * the time does not show whether a user exists. If memory or threads for the computation are missing, the process ends.
 * *rehash_r: the cost of the hash differs from `cost`, or the hash is bcrypt.
 */
bool pl_passwd_verify(struct pl_str password, struct pl_str encoded, struct pl_passwd_cost cost, bool *rehash_r);

#endif

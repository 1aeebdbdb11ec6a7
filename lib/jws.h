/* SPDX-License-Identifier: ISC */
/*
 * Signed tokens of other issuers: key sets (JWKS, RFC 7517) and signatures (JWS, RFC 7515, 7518, 8037), verified by
 * OpenSSL. token.h has our own tokens.
 *
 * The type of the key determines the algorithms: a token chooses only among those that fit the key, so that `none` and
 * HMAC with a public key are impossible.
 */
#ifndef PL_JWS_H
#define PL_JWS_H

#include "json.h"

#define PL_JWS_MAX_BYTES 16384		/* of a token */
#define PL_JWKS_MAX_KEYS 64

struct pl_jwks;

/*
 * Reads a key set. Keys that cannot verify signatures here (other types, curves, or uses, RSA below 2048 bits) are left
 * out. NULL: it is not a key set; why_r has a sentence. The result lives as long as the pool.
 */
const struct pl_jwks *pl_jwks_parse(struct pl_pool *pool, struct pl_str json, const char **why_r) PL_MUSTCHECK;
int pl_jwks_count(const struct pl_jwks *keys);

enum pl_jws_result {
	PL_JWS_GOOD,
	PL_JWS_NO_KEY,			/* no key of the set has this kid: the set may be outdated */
	PL_JWS_BAD
};
/*
 * Verifies a token in compact form. PL_JWS_GOOD: *claims_r is its payload, an object, parsed into the pool, which the
 * caller must still judge. Otherwise *why_r has a sentence without any part of the token.
 */
enum pl_jws_result pl_jws_verify(struct pl_pool *pool, struct pl_str token, const struct pl_jwks *keys,
    const struct pl_jval **claims_r, const char **why_r) PL_MUSTCHECK;

#endif

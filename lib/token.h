/* SPDX-License-Identifier: ISC */
/*
 * Our JSON Web Tokens, HS256 only. All claims are checked here, because libjwt checks the signature only.
 *
 * Source: RFC 7519, RFC 8725; claims in PROTOCOL section 2 of parlour-api(7).
 */
#ifndef PL_TOKEN_H
#define PL_TOKEN_H

#include "err.h"
#include "leaf.h"

enum pl_token_type { PL_TOKEN_ACCESS, PL_TOKEN_REFRESH };

struct pl_token {
	enum pl_token_type type;
	int64_t user_id, login_id;	/* sub, sid */
	int64_t refresh_counter;	/* rc */
	int64_t issued_s, expires_s;	/* iat, exp; seconds since 1970 */
	int access;			/* acc: permission of the user when it was issued */
	uint64_t signed_by;		/* number of the key that verified it (keyring.h); not a claim */
	bool enrol;			/* enr, only present if true: only for setting up a second factor */
	char name[33];			/* name: user name when it was issued */
};

struct pl_token_key { struct pl_secret secret; char kid[17]; };	/* kid = hex of SHA-256(secret), first 8 bytes */

/* Signs; `issuer` = iss and aud. Result in pool, about 300 bytes. */
struct pl_str pl_token_sign(struct pl_pool *pool, const struct pl_token_key *key, const char *issuer,
    const struct pl_token *token);
/*
 * Verifies alg == HS256, kid, typ, iss, aud, sub, sid, iat (leeway 60 s), exp (no leeway), nbf if present; text of at
 * most 1,024 bytes. Errors: PL_E_UNAUTHORIZED, PL_E_TOKEN_EXPIRED (good signature, past exp; token_r is filled).
 */
bool pl_token_verify(struct pl_str text, const struct pl_token_key *key, const char *issuer, enum pl_token_type type,
    struct pl_token *token_r, struct pl_err *err) PL_MUSTCHECK;

#endif

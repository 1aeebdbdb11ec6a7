/* SPDX-License-Identifier: ISC */
/*
 * JSON Web Tokens by libjwt, distrusted: it checks the signature under whatever algorithm the token names, and no
 * claim at all. A missing integer reads as -1 with ENOENT, one of another type as 0. Out of memory would read as a bad
 * token: pool.h says why that cannot happen.
 */
#include "token.h"

#include <errno.h>
#include <jwt.h>
#include <stdio.h>

#include "clock.h"

#define TOKEN_MAX_BYTES 1024
#define LEEWAY_S 60

static const char *const type_words[] = { [PL_TOKEN_ACCESS] = "access", [PL_TOKEN_REFRESH] = "refresh" };

static bool add_claims(jwt_t *jwt, const char *issuer, const struct pl_token *token)
{
	char sub[24];

	snprintf(sub, sizeof(sub), "%lld", (long long)token->user_id);
	return jwt_add_grant(jwt, "iss", issuer) == 0 && jwt_add_grant(jwt, "aud", issuer) == 0 &&
	    jwt_add_grant(jwt, "sub", sub) == 0 && jwt_add_grant(jwt, "typ", type_words[token->type]) == 0 &&
	    jwt_add_grant(jwt, "name", token->name) == 0 && jwt_add_grant_int(jwt, "sid", token->login_id) == 0 &&
	    jwt_add_grant_int(jwt, "rc", token->refresh_counter) == 0 &&
	    jwt_add_grant_int(jwt, "acc", token->access) == 0 && jwt_add_grant_int(jwt, "iat", token->issued_s) == 0 &&
	    jwt_add_grant_int(jwt, "exp", token->expires_s) == 0 &&
	    (!token->enrol || jwt_add_grant_int(jwt, "enr", 1) == 0);
}

struct pl_str pl_token_sign(struct pl_pool *pool, const struct pl_token_key *key, const char *issuer,
    const struct pl_token *token)
{
	jwt_t *jwt = NULL;
	struct pl_str text;
	char *made;

	/* All of these fail only without memory, or for a name that is not UTF-8, which no user has. */
	PL_BUG(jwt_new(&jwt) != 0);
	PL_BUG(jwt_set_alg(jwt, JWT_ALG_HS256, key->secret.ptr, (int)key->secret.len) != 0);
	PL_BUG(jwt_add_header(jwt, "kid", key->kid) != 0 || !add_claims(jwt, issuer, token));
	made = jwt_encode_str(jwt);
	PL_BUG(made == NULL);
	text = pl_str_dup(pool, pl_str(made));
	pl_free(made);	/* libjwt has no function for it: it comes from malloc */
	jwt_free(jwt);
	return text;
}

/*
 * Three parts of base64url, nothing else: libjwt's decoder skips bytes it does not know, and one token must not have
 * many spellings.
 */
static bool shape_ok(struct pl_str text)
{
	struct pl_str rest = text, part;
	unsigned char bytes[TOKEN_MAX_BYTES];
	size_t n;
	int parts = 0;

	while (pl_str_cut(&rest, '.', &part)) {
		if (++parts > 3 || part.len == 0 || !pl_b64url_decode(part, bytes, sizeof(bytes), &n))
			return false;
	}
	return parts == 3;
}

/* Presence of a header or claim of any type: only a missing one sets ENOENT. */
static bool has_header(jwt_t *jwt, const char *name)
{
	errno = 0;
	return jwt_get_header_int(jwt, name) != -1 || errno != ENOENT;
}

static bool has_claim(jwt_t *jwt, const char *name)
{
	errno = 0;
	return jwt_get_grant_int(jwt, name) != -1 || errno != ENOENT;
}

static bool claim_is(jwt_t *jwt, const char *name, const char *want)
{
	return pl_str_is(pl_str(jwt_get_grant(jwt, name)), want);
}

/* A claim of another type reads as 0, so a 0 is looked at again. */
static bool claim_is_zero(jwt_t *jwt, const char *name)
{
	char *json = jwt_get_grants_json(jwt, name);
	bool zero = pl_str_is(pl_str(json), "0");

	pl_free(json);
	return zero;
}

/* An integer of at least `min`. */
static bool claim_int(jwt_t *jwt, const char *name, int64_t min, int64_t *value_r)
{
	if (!has_claim(jwt, name))
		return false;
	*value_r = jwt_get_grant_int(jwt, name);
	return *value_r >= min && (*value_r != 0 || claim_is_zero(jwt, name));
}

static bool header_ok(jwt_t *jwt, const struct pl_token_key *key)
{
	/* The token named its algorithm itself: HS512 or HS384 under the same secret would have passed so far. */
	if (jwt_get_alg(jwt) != JWT_ALG_HS256 || !pl_str_is(pl_str(jwt_get_header(jwt, "alg")), "HS256"))
		return false;
	if (!pl_str_is(pl_str(jwt_get_header(jwt, "kid")), key->kid))
		return false;
	/* RFC 7515 section 4.1.11: a receiver that does not know a critical header must refuse. */
	return !has_header(jwt, "crit");
}

static bool name_read(jwt_t *jwt, struct pl_token *token)
{
	struct pl_str name = pl_str(jwt_get_grant(jwt, "name"));

	if (name.ptr == NULL)
		return !has_claim(jwt, "name");
	if (name.len >= sizeof(token->name) || !pl_utf8_ok(name.ptr, name.len))
		return false;
	memcpy(token->name, name.ptr, name.len);
	return true;
}

/* Everything but exp against the clock. */
static bool claims_read(jwt_t *jwt, const char *issuer, enum pl_token_type type, int64_t now_s, struct pl_token *token)
{
	int64_t access = 0, enrol = 0, not_before_s = 0;

	token->type = type;
	if (!claim_is(jwt, "typ", type_words[type]) || !claim_is(jwt, "iss", issuer) || !claim_is(jwt, "aud", issuer))
		return false;
	if (!pl_str_i64(pl_str(jwt_get_grant(jwt, "sub")), 1, INT64_MAX, &token->user_id) || !name_read(jwt, token))
		return false;
	if (!claim_int(jwt, "sid", 1, &token->login_id) || !claim_int(jwt, "rc", 0, &token->refresh_counter) ||
	    !claim_int(jwt, "acc", 0, &access) || access > INT32_MAX)
		return false;
	token->access = (int)access;
	if (!claim_int(jwt, "exp", 1, &token->expires_s) || !claim_int(jwt, "iat", 1, &token->issued_s) ||
	    token->issued_s > now_s + LEEWAY_S)
		return false;
	if (has_claim(jwt, "enr") && !claim_int(jwt, "enr", 0, &enrol))
		return false;
	token->enrol = enrol != 0;
	if (has_claim(jwt, "nbf"))
		return claim_int(jwt, "nbf", 1, &not_before_s) && not_before_s <= now_s + LEEWAY_S;
	return true;
}

bool pl_token_verify(struct pl_str text, const struct pl_token_key *key, const char *issuer, enum pl_token_type type,
    struct pl_token *token_r, struct pl_err *err)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	char copy[TOKEN_MAX_BYTES + 1];
	struct pl_token token = { 0 };
	jwt_t *jwt = NULL;
	bool ok;

	/* Without a key libjwt would take any token for unsigned. */
	PL_BUG(key->secret.ptr == NULL || key->secret.len == 0);
	if (text.ptr == NULL || text.len > TOKEN_MAX_BYTES || !shape_ok(text))
		return pl_err_set(err, PL_E_UNAUTHORIZED, NULL);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (jwt_decode(&jwt, copy, key->secret.ptr, (int)key->secret.len) != 0)
		return pl_err_set(err, PL_E_UNAUTHORIZED, NULL);
	ok = header_ok(jwt, key) && claims_read(jwt, issuer, type, now_s, &token);
	jwt_free(jwt);
	if (!ok)
		return pl_err_set(err, PL_E_UNAUTHORIZED, NULL);
	*token_r = token;
	if (token.expires_s <= now_s)
		return pl_err_set(err, PL_E_TOKEN_EXPIRED, NULL);
	return true;
}

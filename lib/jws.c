/* SPDX-License-Identifier: ISC */
/*
 * JWKS and JWS by OpenSSL. A row of `algs` is an algorithm with the type of key that it needs; a token whose alg is not
 * in a row of the key's type is refused before any signature is computed.
 */
#include "jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#include "leaf.h"

#define RSA_MIN_BITS 2048
#define RSA_MAX_BYTES 1024		/* 8192 bits: larger ones only cost time */
#define EC_MAX_BYTES 66
#define ED25519_BYTES 32

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

struct key {
	enum key_type type;
	struct pl_str kid, alg;		/* absent when the set does not say */
	EVP_PKEY *pkey;
	struct key *next;
};
struct pl_jwks { struct key *first, **last; int count; };

static const struct curve { const char *crv, *group; enum key_type type; size_t bytes; } curves[] = {
	{ "P-256", "prime256v1", KEY_P256, 32 },
	{ "P-384", "secp384r1", KEY_P384, 48 },
	{ "P-521", "secp521r1", KEY_P521, 66 },
};

static const struct alg { const char *name; enum key_type type; const char *digest; bool pss; size_t half; } algs[] = {
	{ "RS256", KEY_RSA, "SHA256", false, 0 },
	{ "RS384", KEY_RSA, "SHA384", false, 0 },
	{ "RS512", KEY_RSA, "SHA512", false, 0 },
	{ "PS256", KEY_RSA, "SHA256", true, 0 },
	{ "PS384", KEY_RSA, "SHA384", true, 0 },
	{ "PS512", KEY_RSA, "SHA512", true, 0 },
	{ "ES256", KEY_P256, "SHA256", false, 32 },
	{ "ES384", KEY_P384, "SHA384", false, 48 },
	{ "ES512", KEY_P521, "SHA512", false, 66 },
	{ "EdDSA", KEY_ED25519, NULL, false, 0 },
};

/* ---- keys ---- */

static void keys_free(void *arg)
{
	struct pl_jwks *keys = arg;

	for (struct key *key = keys->first; key != NULL; key = key->next)
		EVP_PKEY_free(key->pkey);
}

/* The bytes of a member; 0: absent, not base64url, or longer than cap. */
static size_t member(const struct pl_jval *jwk, const char *name, unsigned char *out, size_t cap)
{
	size_t len = 0;

	if (!pl_b64url_decode(pl_json_str(pl_json_get(jwk, name)), out, cap, &len))
		return 0;
	return len;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *read_rsa(const struct pl_jval *jwk)
{
	unsigned char n[RSA_MAX_BYTES], e[8];
	size_t n_len = member(jwk, "n", n, sizeof(n)), e_len = member(jwk, "e", e, sizeof(e));
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = BN_bin2bn(n, (int)n_len, NULL), *bn_e = BN_bin2bn(e, (int)e_len, NULL);
	EVP_PKEY *pkey = NULL;

	PL_BUG(build == NULL || bn_n == NULL || bn_e == NULL);
	if (n_len > 0 && e_len > 0 && BN_num_bits(bn_n) >= RSA_MIN_BITS && BN_is_odd(bn_e) && BN_num_bits(bn_e) > 1) {
		PL_BUG(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1 ||
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1);
		pkey = pkey_from("RSA", build);
	}
	BN_free(bn_n);
	BN_free(bn_e);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

/* OpenSSL checks that the point is on the curve. */
static EVP_PKEY *read_ec(const struct pl_jval *jwk, enum key_type *type_r)
{
	unsigned char point[1 + 2 * EC_MAX_BYTES];
	struct pl_str crv = pl_json_str(pl_json_get(jwk, "crv"));
	const struct curve *curve = NULL;
	OSSL_PARAM_BLD *build;
	EVP_PKEY *pkey;

	for (size_t i = 0; i < PL_COUNT(curves); i++)
		if (pl_str_is(crv, curves[i].crv))
			curve = &curves[i];
	if (curve == NULL || member(jwk, "x", point + 1, curve->bytes) != curve->bytes ||
	    member(jwk, "y", point + 1 + curve->bytes, curve->bytes) != curve->bytes)
		return NULL;
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	*type_r = curve->type;
	build = OSSL_PARAM_BLD_new();
	PL_BUG(build == NULL ||
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->bytes) != 1);
	pkey = pkey_from("EC", build);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

static EVP_PKEY *read_okp(const struct pl_jval *jwk)
{
	unsigned char x[ED25519_BYTES];

	if (!pl_str_is(pl_json_str(pl_json_get(jwk, "crv")), "Ed25519") ||
	    member(jwk, "x", x, sizeof(x)) != sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

static void read_key(struct pl_pool *pool, struct pl_jwks *keys, const struct pl_jval *jwk)
{
	struct pl_str kty = pl_json_str(pl_json_get(jwk, "kty")), use = pl_json_str(pl_json_get(jwk, "use"));
	struct key found = { .kid = pl_json_str(pl_json_get(jwk, "kid")), .alg = pl_json_str(pl_json_get(jwk, "alg")) };
	struct key *key;

	if (use.ptr != NULL && !pl_str_is(use, "sig"))
		return;
	if (pl_str_is(kty, "RSA")) {
		found.type = KEY_RSA;
		found.pkey = read_rsa(jwk);
	} else if (pl_str_is(kty, "EC")) {
		found.pkey = read_ec(jwk, &found.type);
	} else if (pl_str_is(kty, "OKP")) {
		found.type = KEY_ED25519;
		found.pkey = read_okp(jwk);
	}
	ERR_clear_error();
	if (found.pkey == NULL)
		return;
	key = pl_alloc(pool, sizeof(*key));
	*key = found;
	key->kid = pl_str_dup(pool, found.kid);
	key->alg = pl_str_dup(pool, found.alg);
	*keys->last = key;
	keys->last = &key->next;
	keys->count++;
}

const struct pl_jwks *pl_jwks_parse(struct pl_pool *pool, struct pl_str json, const char **why_r)
{
	struct pl_err err = { 0 };
	const struct pl_jval *doc = pl_json_parse(pool, json, &err), *list = pl_json_get(doc, "keys");
	struct pl_jwks *keys;

	if (list == NULL || list->type != PL_J_ARRAY || list->count > PL_JWKS_MAX_KEYS) {
		*why_r = "the key set is not an object with a list `keys` of at most 64 keys";
		return NULL;
	}
	keys = pl_alloc(pool, sizeof(*keys));
	*keys = (struct pl_jwks){ .last = &keys->first };
	pl_pool_cleanup(pool, keys_free, keys);
	for (const struct pl_jval *jwk = list->first; jwk != NULL; jwk = jwk->next)
		read_key(pool, keys, jwk);
	return keys;
}

int pl_jwks_count(const struct pl_jwks *keys)
{
	return keys->count;
}

/* ---- signatures ---- */

/* r and s side by side (RFC 7518 3.4) in the form that OpenSSL verifies; its length, 0: not that form. */
static size_t ecdsa_der(const unsigned char *sig, size_t len, size_t half, unsigned char **der_r)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, (int)half, NULL), *s = BN_bin2bn(sig + half, (int)half, NULL);
	int bytes;

	PL_BUG(pair == NULL || r == NULL || s == NULL || len != 2 * half || ECDSA_SIG_set0(pair, r, s) != 1);
	bytes = i2d_ECDSA_SIG(pair, der_r);
	ECDSA_SIG_free(pair);
	return bytes > 0 ? (size_t)bytes : 0;
}

static bool verify(const struct alg *alg, EVP_PKEY *pkey, struct pl_str text, const unsigned char *sig, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how = NULL;
	unsigned char *der = NULL;
	bool good;

	PL_BUG(ctx == NULL);
	if (alg->half > 0) {
		if (len != 2 * alg->half) {
			EVP_MD_CTX_free(ctx);
			return false;
		}
		len = ecdsa_der(sig, len, alg->half, &der);
		sig = der;
	}
	good = EVP_DigestVerifyInit_ex(ctx, &how, alg->digest, NULL, NULL, pkey, NULL) == 1;
	if (good && alg->pss)
		good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(ctx, sig, len, (const unsigned char *)text.ptr, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}

/* A part of the token as a JSON object; NULL: it is not one. */
static const struct pl_jval *part_object(struct pl_pool *pool, struct pl_str part)
{
	char *text = pl_alloc(pool, part.len + 1);
	const struct pl_jval *doc;
	struct pl_err err = { 0 };
	size_t len;

	if (part.len == 0 || !pl_b64url_decode(part, text, part.len, &len))
		return NULL;
	doc = pl_json_parse(pool, pl_strn(text, len), &err);
	return doc != NULL && doc->type == PL_J_OBJECT ? doc : NULL;
}

/* Tries the keys that the header can mean. */
static enum pl_jws_result check(const struct pl_jval *header, const struct pl_jwks *keys, struct pl_str text,
    const unsigned char *sig, size_t sig_len, const char **why_r)
{
	struct pl_str name = pl_json_str(pl_json_get(header, "alg")), kid = pl_json_str(pl_json_get(header, "kid"));
	const struct alg *alg = NULL;
	bool named = false, tried = false;

	for (size_t i = 0; i < PL_COUNT(algs); i++)
		if (pl_str_is(name, algs[i].name))
			alg = &algs[i];
	if (alg == NULL || pl_json_get(header, "crit") != NULL) {
		*why_r = alg == NULL ? "its algorithm is not one of RS*, PS*, ES*, and EdDSA" :
		    "it has critical extensions, which are unknown here";
		return PL_JWS_BAD;
	}
	for (const struct key *key = keys->first; key != NULL; key = key->next) {
		if (kid.ptr != NULL && !pl_str_eq(kid, key->kid))
			continue;
		named = true;
		if (key->type != alg->type || (key->alg.ptr != NULL && !pl_str_eq(key->alg, name)))
			continue;
		tried = true;
		if (verify(alg, key->pkey, text, sig, sig_len))
			return PL_JWS_GOOD;
	}
	*why_r = !named ? "its key is not in the key set" : !tried ? "its algorithm does not fit the type of its key" :
	    "its signature is wrong";
	return named && kid.ptr != NULL ? PL_JWS_BAD : PL_JWS_NO_KEY;
}

enum pl_jws_result pl_jws_verify(struct pl_pool *pool, struct pl_str token, const struct pl_jwks *keys,
    const struct pl_jval **claims_r, const char **why_r)
{
	struct pl_str rest = token, head, body, sig;
	const struct pl_jval *header, *claims;
	unsigned char *bytes;
	size_t len;
	enum pl_jws_result result;

	*why_r = "it is not a signed token in compact form of at most 16 KB";
	if (token.len > PL_JWS_MAX_BYTES || !pl_str_cut(&rest, '.', &head) || !pl_str_cut(&rest, '.', &body) ||
	    !pl_str_cut(&rest, '.', &sig) || rest.ptr != NULL)
		return PL_JWS_BAD;
	bytes = pl_alloc(pool, sig.len + 1);
	header = part_object(pool, head);
	claims = part_object(pool, body);
	if (header == NULL || claims == NULL || !pl_b64url_decode(sig, bytes, sig.len, &len))
		return PL_JWS_BAD;
	result = check(header, keys, pl_strn(token.ptr, head.len + 1 + body.len), bytes, len, why_r);
	if (result == PL_JWS_GOOD)
		*claims_r = claims;
	return result;
}

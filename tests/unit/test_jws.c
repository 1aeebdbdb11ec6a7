/* SPDX-License-Identifier: ISC */
/*
 * Key sets and signatures of others: the vector of RFC 7515 A.3, modifications of it, and invalid sets.
 * tests/e2e/test_oidc.py covers all algorithms with generated keys.
 */
#include <check.h>

#include "jws.h"

Suite *suite_jws(void);

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define KEY(more) "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"" more "}]}"
#define HEAD "eyJhbGciOiJFUzI1NiJ9"		/* {"alg":"ES256"} */
#define HEAD_KID "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ"	/* {"alg":"ES256","kid":"a"} */
#define HEAD_NONE "eyJhbGciOiJub25lIn0"		/* {"alg":"none"} */
#define HEAD_HMAC "eyJhbGciOiJIUzI1NiJ9"	/* {"alg":"HS256"} */
#define HEAD_RSA "eyJhbGciOiJSUzI1NiJ9"		/* {"alg":"RS256"} */
#define BODY "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SIG "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static struct pl_pool *pool;

static void setup(void)
{
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	pl_pool_free(&pool);
}

START_TEST(test_tokens)
{
	static const struct { const char *keys, *token; enum pl_jws_result result; const char *why; } cases[] = {
		{ KEY(""), HEAD "." BODY "." SIG, PL_JWS_GOOD, "" },
		{ KEY(",\"kid\":\"a\""), HEAD "." BODY "." SIG, PL_JWS_GOOD, "" },
		{ KEY(",\"alg\":\"ES256\",\"use\":\"sig\""), HEAD "." BODY "." SIG, PL_JWS_GOOD, "" },
		{ KEY(",\"alg\":\"ES384\""), HEAD "." BODY "." SIG, PL_JWS_NO_KEY, "fit the type" },
		{ KEY(",\"use\":\"enc\""), HEAD "." BODY "." SIG, PL_JWS_NO_KEY, "not in the key set" },
		{ KEY(",\"kid\":\"b\""), HEAD_KID "." BODY "." SIG, PL_JWS_NO_KEY, "not in the key set" },
		{ KEY(",\"kid\":\"a\""), HEAD_KID "." BODY "." SIG, PL_JWS_BAD, "signature" },
		{ KEY(""), HEAD_NONE "." BODY ".", PL_JWS_BAD, "algorithm" },
		{ KEY(""), HEAD_HMAC "." BODY "." SIG, PL_JWS_BAD, "algorithm" },
		{ KEY(""), HEAD_RSA "." BODY "." SIG, PL_JWS_NO_KEY, "fit the type" },
		{ KEY(""), HEAD "." BODY ".", PL_JWS_NO_KEY, "signature" },
		{ KEY(""), HEAD "." BODY "." SIG "AA", PL_JWS_NO_KEY, "signature" },
		{ KEY(""), HEAD "." BODY ".?" SIG, PL_JWS_BAD, "compact" },
		{ KEY(""), HEAD "." BODY, PL_JWS_BAD, "compact" },
		{ KEY(""), HEAD "." BODY "." SIG ".", PL_JWS_BAD, "compact" },
		{ KEY(""), "." BODY "." SIG, PL_JWS_BAD, "compact" },
		{ KEY(""), HEAD ".." SIG, PL_JWS_BAD, "compact" },
		{ KEY(""), HEAD "." HEAD "." SIG, PL_JWS_NO_KEY, "signature" },
		{ KEY(""), "", PL_JWS_BAD, "compact" },
		{ "{\"keys\":[]}", HEAD "." BODY "." SIG, PL_JWS_NO_KEY, "not in the key set" },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		const char *why = NULL;
		const struct pl_jval *claims = NULL;
		const struct pl_jwks *keys = pl_jwks_parse(pool, pl_str(cases[i].keys), &why);

		ck_assert_ptr_nonnull(keys);
		ck_assert_msg(pl_jws_verify(pool, pl_str(cases[i].token), keys, &claims, &why) == cases[i].result,
		    "case %zu: %s", i, why);
		if (cases[i].result == PL_JWS_GOOD)
			ck_assert(pl_str_is(pl_json_str(pl_json_get(claims, "iss")), "joe"));
		else
			ck_assert_msg(claims == NULL && strstr(why, cases[i].why) != NULL, "case %zu: %s", i, why);
	}
}
END_TEST

START_TEST(test_sets)
{
	/* -1: not a set */
	static const struct { const char *json; int count; } cases[] = {
		{ "", -1 }, { "5", -1 }, { "[]", -1 }, { "{}", -1 }, { "{\"keys\":{}}", -1 }, { "{\"keys\":[]}", 0 },
		{ KEY(""), 1 }, { "{\"keys\":[5,{},[],null,{\"kty\":5}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" Y "\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X "\"}]}", 1 },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X "AA\"}]}", 0 },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		const char *why = NULL;
		const struct pl_jwks *keys = pl_jwks_parse(pool, pl_str(cases[i].json), &why);

		ck_assert_msg((keys != NULL ? pl_jwks_count(keys) : -1) == cases[i].count, "case %zu", i);
		ck_assert(keys != NULL || why != NULL);
	}
}
END_TEST

Suite *suite_jws(void)
{
	Suite *suite = suite_create("jws");
	TCase *tc = tcase_create("jws");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_tokens);
	tcase_add_test(tc, test_sets);
	suite_add_tcase(suite, tc);
	return suite;
}

/* SPDX-License-Identifier: ISC */
/*
 * Tokens: only tokens that we signed are accepted. Forged ones are made with OpenSSL's HMAC.
 */
#include <check.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "token.h"

Suite *suite_token(void);

#define NOW_S 1800000000LL
#define ISSUER "https://chat.example.org"
#define HEADER "{\"alg\":\"HS256\",\"kid\":\"0011223344556677\",\"typ\":\"JWT\"}"
#define CLAIMS_BUT(exp, rest) \
	"{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER "\",\"sub\":\"42\",\"sid\":7,\"rc\":0,\"acc\":0," \
	"\"typ\":\"access\",\"name\":\"ann\",\"iat\":1799999990,\"exp\":" exp rest "}"

static const char secret[] = "0dc5f4b2e8a94716b3fe5d80c2a7913e";

static struct pl_pool *pool;
static struct pl_token_key key;

static void setup(void)
{
	pool = pl_pool_new(0);
	key.secret = pl_secret_copy(pool, secret, sizeof(secret) - 1);
	snprintf(key.kid, sizeof(key.kid), "0011223344556677");
	pl_clock_fake(1, NOW_S * PL_US_PER_S);
}

static void teardown(void)
{
	pl_clock_fake(0, 0);
	pl_pool_free(&pool);
}

static struct pl_token sample(void)
{
	return (struct pl_token){ .type = PL_TOKEN_ACCESS, .user_id = 42, .login_id = 7, .refresh_counter = 3,
		.issued_s = NOW_S, .expires_s = NOW_S + 900, .access = 2, .name = "j\xc3\xb6rg" };
}

/* header.claims signed with our secret under the given hash. */
static struct pl_str forge(const char *header, const char *claims, const EVP_MD *md)
{
	struct pl_buf text = PL_BUF(pool);
	unsigned char mac[EVP_MAX_MD_SIZE];
	char part[2048];
	unsigned mac_bytes = 0;

	pl_b64url_encode(header, strlen(header), part);
	pl_buf_addf(&text, "%s.", part);
	pl_b64url_encode(claims, strlen(claims), part);
	pl_buf_adds(&text, part);
	HMAC(md, secret, sizeof(secret) - 1, (unsigned char *)text.ptr, text.len, mac, &mac_bytes);
	pl_b64url_encode(mac, mac_bytes, part);
	pl_buf_addf(&text, ".%s", part);
	return pl_buf_str(&text);
}

static enum pl_code verify(struct pl_str text, struct pl_token *token)
{
	struct pl_err err = { 0 };

	if (pl_token_verify(text, &key, ISSUER, PL_TOKEN_ACCESS, token, &err))
		return PL_E_OK;
	ck_assert_int_ne(err.code, PL_E_OK);
	return err.code;
}

START_TEST(round_trip)
{
	struct pl_token want = sample(), got = { 0 };
	struct pl_str text;
	struct pl_err err;

	text = pl_token_sign(pool, &key, ISSUER, &want);
	ck_assert_uint_lt(text.len, 400);
	ck_assert_int_eq(verify(text, &got), PL_E_OK);
	ck_assert_int_eq(got.user_id, 42);
	ck_assert_int_eq(got.login_id, 7);
	ck_assert_int_eq(got.refresh_counter, 3);
	ck_assert_int_eq(got.issued_s, NOW_S);
	ck_assert_int_eq(got.expires_s, NOW_S + 900);
	ck_assert_int_eq(got.access, 2);
	ck_assert_str_eq(got.name, want.name);
	/* An access token is not valid as a refresh token, nor the reverse; a token of another issuer is invalid. */
	ck_assert(!pl_token_verify(text, &key, ISSUER, PL_TOKEN_REFRESH, &got, &err));
	ck_assert(!pl_token_verify(text, &key, ISSUER "/", PL_TOKEN_ACCESS, &got, &err));
	want.type = PL_TOKEN_REFRESH;
	want.user_id = INT64_MAX;
	want.name[0] = '\0';
	text = pl_token_sign(pool, &key, ISSUER, &want);
	ck_assert_int_eq(verify(text, &got), PL_E_UNAUTHORIZED);
	ck_assert(pl_token_verify(text, &key, ISSUER, PL_TOKEN_REFRESH, &got, &err));
	ck_assert_int_eq(got.user_id, INT64_MAX);
}
END_TEST

START_TEST(expiry)
{
	struct pl_token token = sample(), got = { 0 };
	struct pl_str text = pl_token_sign(pool, &key, ISSUER, &token);

	pl_clock_fake(1, (NOW_S + 899) * PL_US_PER_S + 999999);
	ck_assert_int_eq(verify(text, &got), PL_E_OK);
	pl_clock_fake(1, (NOW_S + 900) * PL_US_PER_S);
	got = (struct pl_token){ 0 };
	ck_assert_int_eq(verify(text, &got), PL_E_TOKEN_EXPIRED);
	ck_assert_int_eq(got.login_id, 7);
	/* Issued in the future: up to 60 s are accepted for clocks that differ. */
	pl_clock_fake(1, (NOW_S - 60) * PL_US_PER_S);
	ck_assert_int_eq(verify(text, &got), PL_E_OK);
	pl_clock_fake(1, (NOW_S - 61) * PL_US_PER_S);
	ck_assert_int_eq(verify(text, &got), PL_E_UNAUTHORIZED);
}
END_TEST

#define GOOD CLAIMS_BUT("1800000100", "")
#define CLAIMS(iss, aud, sub, sid, rc, acc, typ, iat, exp) \
	"{\"iss\":" iss ",\"aud\":" aud ",\"sub\":" sub ",\"sid\":" sid ",\"rc\":" rc ",\"acc\":" acc \
	",\"typ\":" typ ",\"iat\":" iat ",\"exp\":" exp "}"
#define I "\"" ISSUER "\""
#define IAT "1799999990"
#define EXP "1800000100"
#define A "\"access\""

static const struct {
	const char *header, *claims;
	enum pl_code code;
} forged[] = {
	{ HEADER, GOOD, PL_E_OK },
	{ "{\"kid\":\"0011223344556677\",\"alg\":\"HS256\"}", GOOD, PL_E_OK },
	{ HEADER, CLAIMS_BUT("1800000000", ""), PL_E_TOKEN_EXPIRED },
	{ HEADER, CLAIMS_BUT("1", ""), PL_E_TOKEN_EXPIRED },
	{ HEADER, CLAIMS_BUT("1800000100", ",\"nbf\":1800000060"), PL_E_OK },
	{ HEADER, CLAIMS_BUT("1800000100", ",\"nbf\":1800000061"), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("1800000100", ",\"nbf\":\"never\""), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("1800000100", ",\"nbf\":null"), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("\"never\"", ""), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("-5", ""), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("1e12", ""), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS_BUT("null", ""), PL_E_UNAUTHORIZED },
	/* headers */
	{ "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"HS256\",\"kid\":\"0011223344556678\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"HS256\",\"kid\":11}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"HS256\",\"kid\":\"0011223344556677\",\"crit\":[\"exp\"]}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"HS256\",\"kid\":\"0011223344556677\",\"crit\":-1}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"none\",\"kid\":\"0011223344556677\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"HS512\",\"kid\":\"0011223344556677\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"alg\":\"RS256\",\"kid\":\"0011223344556677\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "{\"kid\":\"0011223344556677\"}", GOOD, PL_E_UNAUTHORIZED },
	{ "[]", GOOD, PL_E_UNAUTHORIZED },
	{ "null", GOOD, PL_E_UNAUTHORIZED },
	/* claims */
	{ HEADER, "[]", PL_E_UNAUTHORIZED },
	{ HEADER, "{}", PL_E_UNAUTHORIZED },
	{ HEADER, "null", PL_E_UNAUTHORIZED },
	{ HEADER, "not json", PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", A, IAT, EXP), PL_E_OK },
	{ HEADER, CLAIMS("\"x\"", I, "\"42\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS("1", I, "\"42\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, "\"x\"", "\"42\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, "[" I "]", "\"42\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "42", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"0\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"-1\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42 \"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"\"", "7", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "0", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "\"7\"", "0", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "-1", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "\"0\"", "0", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0.5", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "true", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "9999999999", A, IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", "\"refresh\"", IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", "null", IAT, EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", A, "\"x\"", EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", A, "1800000061", EXP), PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", A, IAT, EXP ",\"name\":\"abcdefghijabcdefghijabcdefghij123\""),
	    PL_E_UNAUTHORIZED },
	{ HEADER, CLAIMS(I, I, "\"42\"", "7", "0", "0", A, IAT, EXP ",\"name\":5"), PL_E_UNAUTHORIZED },
	{ HEADER, "{\"sid\":7,\"rc\":0,\"acc\":0,\"typ\":\"access\",\"iat\":1799999990,\"exp\":1800000100}",
	    PL_E_UNAUTHORIZED },
};

START_TEST(forged_tokens)
{
	const EVP_MD *md = strstr(forged[_i].header, "HS512") != NULL ? EVP_sha512() : EVP_sha256();
	struct pl_token got;

	ck_assert_msg(verify(forge(forged[_i].header, forged[_i].claims, md), &got) == forged[_i].code, "%s %s",
	    forged[_i].header, forged[_i].claims);
}
END_TEST

START_TEST(broken_text)
{
	static const char *const tails[] = { "=", ".", "\n", " ", "A", "!" };
	struct pl_token token = sample(), got;
	struct pl_str text = pl_token_sign(pool, &key, ISSUER, &token);
	char copy[1100];

	/* Every single byte is changed, and the token is cut everywhere. */
	for (size_t i = 0; i < text.len; i++) {
		memcpy(copy, text.ptr, text.len);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(verify(pl_strn(copy, text.len), &got) == PL_E_UNAUTHORIZED, "byte %zu", i);
		ck_assert_int_eq(verify(pl_strn(text.ptr, i), &got), PL_E_UNAUTHORIZED);
	}
	for (size_t i = 0; i < PL_COUNT(tails); i++)
		ck_assert_int_eq(verify(pl_str(pl_sprintf(pool, "%s%s", text.ptr, tails[i])), &got), PL_E_UNAUTHORIZED);
	ck_assert_int_eq(verify(pl_str(pl_sprintf(pool, "!%s", text.ptr)), &got), PL_E_UNAUTHORIZED);
	ck_assert_int_eq(verify(pl_strn(text.ptr, text.len + 1), &got), PL_E_UNAUTHORIZED);	/* the NUL */
	ck_assert_int_eq(verify(PL_STR_NONE, &got), PL_E_UNAUTHORIZED);
	ck_assert_int_eq(verify(PL_STR(".."), &got), PL_E_UNAUTHORIZED);
	memset(copy, 'A', sizeof(copy));
	copy[400] = copy[800] = '.';
	ck_assert_int_eq(verify(pl_strn(copy, 1024), &got), PL_E_UNAUTHORIZED);
	ck_assert_int_eq(verify(pl_strn(copy, 1025), &got), PL_E_UNAUTHORIZED);
}
END_TEST

/* A valid token that is too long because of the claim next to its name. */
START_TEST(long_token)
{
	struct pl_token got;
	char filler[900];

	memset(filler, 'f', sizeof(filler));
	filler[sizeof(filler) - 1] = '\0';
	ck_assert_int_eq(verify(forge(HEADER, pl_sprintf(pool, CLAIMS_BUT("1800000100", ",\"x\":\"%s\""), filler),
	    EVP_sha256()), &got), PL_E_UNAUTHORIZED);
	filler[100] = '\0';
	ck_assert_int_eq(verify(forge(HEADER, pl_sprintf(pool, CLAIMS_BUT("1800000100", ",\"x\":\"%s\""), filler),
	    EVP_sha256()), &got), PL_E_OK);
}
END_TEST

START_TEST(other_key)
{
	struct pl_token token = sample(), got;
	struct pl_str text = pl_token_sign(pool, &key, ISSUER, &token);

	key.secret = pl_secret_copy(pool, "another secret of thirty-two byte", 33);
	ck_assert_int_eq(verify(text, &got), PL_E_UNAUTHORIZED);
}
END_TEST

Suite *suite_token(void)
{
	Suite *suite = suite_create("token");
	TCase *tc = tcase_create("token");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, expiry);
	tcase_add_loop_test(tc, forged_tokens, 0, (int)PL_COUNT(forged));
	tcase_add_test(tc, broken_text);
	tcase_add_test(tc, long_token);
	tcase_add_test(tc, other_key);
	suite_add_tcase(suite, tc);
	return suite;
}

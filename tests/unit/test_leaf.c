/* SPDX-License-Identifier: ISC */
/* Leaves against published vectors: RFC 4648, FIPS 180, the SipHash paper. */
#include <check.h>
#include <string.h>

#include "leaf.h"

static const struct { const char *data; size_t bytes; const char *std, *url; } b64_cases[] = {
	{ "", 0, "", "" },
	{ "f", 1, "Zg==", "Zg" },
	{ "fo", 2, "Zm8=", "Zm8" },
	{ "foo", 3, "Zm9v", "Zm9v" },
	{ "foob", 4, "Zm9vYg==", "Zm9vYg" },
	{ "fooba", 5, "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", 6, "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", 3, "+/+/", "-_-_" },
	{ "\0\0\0\0", 4, "AAAAAA==", "AAAAAA" },
};

START_TEST(test_b64)
{
	for (size_t i = 0; i < PL_COUNT(b64_cases); i++) {
		char text[16], back[8];
		size_t bytes = 99;

		ck_assert_uint_eq(pl_b64_encode(b64_cases[i].data, b64_cases[i].bytes, text), strlen(b64_cases[i].std));
		ck_assert_str_eq(text, b64_cases[i].std);
		ck_assert_uint_eq(pl_b64url_encode(b64_cases[i].data, b64_cases[i].bytes, text),
		    strlen(b64_cases[i].url));
		ck_assert_str_eq(text, b64_cases[i].url);
		ck_assert(pl_b64url_decode(pl_str(text), back, b64_cases[i].bytes, &bytes));
		ck_assert_uint_eq(bytes, b64_cases[i].bytes);
		if (bytes > 0)
			ck_assert_mem_eq(back, b64_cases[i].data, bytes);
		ck_assert(bytes == 0 || !pl_b64url_decode(pl_str(text), back, bytes - 1, &bytes));
	}
}
END_TEST

START_TEST(test_b64_bad)
{
	static const char *const bad[] = {
		"A", "AAAAA", "Zg==", "Zm8=", "+/+/", "Zm 9", "Zh", "Zm9", "A*AA", "AA\xc3\xa4", "AAA\n", "Zm9vYh"
	};
	char out[16];
	size_t bytes;

	for (size_t i = 0; i < PL_COUNT(bad); i++)
		ck_assert_msg(!pl_b64url_decode(pl_str(bad[i]), out, sizeof(out), &bytes), "%s", bad[i]);
	ck_assert(!pl_b64url_decode(PL_STR_NONE, out, sizeof(out), &bytes));
}
END_TEST

START_TEST(test_b64_all_lengths)
{
	unsigned char data[100], back[100];
	char text[140];

	for (size_t len = 0; len <= sizeof(data); len++) {
		size_t bytes = 0;

		pl_random(data, len);
		ck_assert_uint_eq(pl_b64url_encode(data, len, text), (len * 4 + 2) / 3);
		ck_assert(pl_b64url_decode(pl_str(text), back, sizeof(back), &bytes));
		ck_assert_uint_eq(bytes, len);
		ck_assert(len == 0 || memcmp(data, back, len) == 0);
	}
}
END_TEST

START_TEST(test_hex)
{
	unsigned char back[3] = { 0 };
	char text[7];

	pl_hex("\x00\x7f\xff", 3, text);
	ck_assert_str_eq(text, "007fff");
	ck_assert(pl_unhex(PL_STR("007FfF"), back, 3));
	ck_assert_mem_eq(back, "\x00\x7f\xff", 3);
	ck_assert(!pl_unhex(PL_STR("007ff"), back, 3));
	ck_assert(!pl_unhex(PL_STR("007fff"), back, 2));
	ck_assert(!pl_unhex(PL_STR("007ffg"), back, 3));
	ck_assert(!pl_unhex(PL_STR("0x7fff"), back, 3));
	ck_assert(!pl_unhex(PL_STR_NONE, back, 0));
}
END_TEST

START_TEST(test_uuid)
{
	char a[PL_UUID_LEN + 1], b[PL_UUID_LEN + 1];

	for (int i = 0; i < 100; i++) {
		pl_uuid_make(a);
		pl_uuid_make(b);
		ck_assert_uint_eq(strlen(a), PL_UUID_LEN);
		ck_assert(pl_uuid_ok(pl_str(a)));
		ck_assert_int_eq(a[14], '4');
		ck_assert_ptr_nonnull(strchr("89ab", a[19]));
		ck_assert_str_ne(a, b);
	}
	ck_assert(pl_uuid_ok(PL_STR("F81D4FAE-7dec-11d0-a765-00a0c91e6bf6")));
	ck_assert(!pl_uuid_ok(PL_STR("f81d4fae-7dec-11d0-a765-00a0c91e6bf")));
	ck_assert(!pl_uuid_ok(PL_STR("f81d4fae-7dec-11d0-a765-00a0c91e6bf66")));
	ck_assert(!pl_uuid_ok(PL_STR("f81d4fae+7dec-11d0-a765-00a0c91e6bf6")));
	ck_assert(!pl_uuid_ok(PL_STR("f81d4fae-7dec-11d0-a765-00a0c91e6bfg")));
	ck_assert(!pl_uuid_ok(PL_STR("f81d4fae7-dec-11d0-a765-00a0c91e6bf6")));
	ck_assert(!pl_uuid_ok(PL_STR_NONE));
}
END_TEST

/* Key 00..0f, input 00..len-1: Appendix A of the paper and its reference vectors. */
static const struct { size_t len; uint64_t hash; } sip_cases[] = {
	{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 2, 0x0d6c8009d9a94f5a }, { 3, 0x85676696d7fb7e2d },
	{ 7, 0xab0200f58b01d137 }, { 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
};

START_TEST(test_siphash)
{
	struct pl_sipkey key = { .k = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	unsigned char in[64];
	uint64_t wide[2];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)i;
	for (size_t i = 0; i < PL_COUNT(sip_cases); i++)
		ck_assert_msg(pl_siphash(&key, in, sip_cases[i].len) == sip_cases[i].hash, "len %zu", sip_cases[i].len);
	pl_siphash128(&key, in, 0, wide);
	ck_assert_uint_eq(wide[0], 0xe6a825ba047f81a3);
	ck_assert_uint_eq(wide[1], 0x930255c71472f66d);
	pl_siphash128(&key, in, 1, wide);
	ck_assert_uint_eq(wide[0], 0x44af996bd8c187da);
	ck_assert_uint_eq(wide[1], 0x45fc229b11597634);
}
END_TEST

START_TEST(test_digests)
{
	unsigned char out[32];
	char text[65];

	pl_sha256("abc", 3, out);
	pl_hex(out, 32, text);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	pl_sha256(NULL, 0, out);
	pl_hex(out, 32, text);
	ck_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	pl_sha1("abc", 3, out);
	pl_hex(out, 20, text);
	ck_assert_str_eq(text, "a9993e364706816aba3e25717850c26c9cd0d89d");
}
END_TEST

START_TEST(test_random)
{
	unsigned char big[5000];
	int seen[7] = { 0 };
	size_t zeros = 0;

	memset(big, 0, sizeof(big));
	pl_random(big, sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		zeros += big[i] == 0;
	ck_assert_uint_lt(zeros, 200);
	ck_assert_uint_ne(pl_random_u64(), pl_random_u64());
	for (int i = 0; i < 7000; i++) {
		uint32_t value = pl_jitter(7);

		ck_assert_uint_lt(value, 7);
		seen[value]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert_int_gt(seen[i], 700);
	ck_assert_uint_eq(pl_jitter(0), 0);
	ck_assert_uint_eq(pl_jitter(1), 0);
}
END_TEST

START_TEST(test_secrets)
{
	struct pl_pool *pool = pl_pool_new(0);
	char text[] = "hunter2";
	struct pl_secret secret = pl_secret_copy(pool, text, 7);

	ck_assert(pl_ct_eq(secret.ptr, secret.len, "hunter2", 7));
	ck_assert(!pl_ct_eq(secret.ptr, secret.len, "hunter3", 7));
	ck_assert(!pl_ct_eq(secret.ptr, secret.len, "hunter", 6));
	ck_assert(pl_ct_eq("", 0, "", 0));
	pl_wipe(text, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		ck_assert_int_eq(text[i], 0);
	ck_assert_str_eq((char *)secret.ptr, "hunter2");
	ck_assert_uint_eq(pl_secret_copy(pool, NULL, 0).len, 0);
	pl_pool_free(&pool);
}
END_TEST

/* Runs after the wipe, because it was registered before it. */
static struct pl_secret watched;
static int left;

static void look(void *arg)
{
	for (size_t i = 0; i < watched.len; i++)
		left += watched.ptr[i] != 0;
}

START_TEST(test_secret_is_wiped)
{
	struct pl_pool *pool = pl_pool_new(0);

	pl_pool_cleanup(pool, look, NULL);
	watched = pl_secret_copy(pool, "0123456789abcdef", 16);
	left = 0;
	pl_pool_free(&pool);
	ck_assert_int_eq(left, 0);
}
END_TEST

Suite *suite_leaf(void);
Suite *suite_leaf(void)
{
	Suite *suite = suite_create("leaf");
	TCase *tc = tcase_create("leaf");

	tcase_add_test(tc, test_b64);
	tcase_add_test(tc, test_b64_bad);
	tcase_add_test(tc, test_b64_all_lengths);
	tcase_add_test(tc, test_hex);
	tcase_add_test(tc, test_uuid);
	tcase_add_test(tc, test_siphash);
	tcase_add_test(tc, test_digests);
	tcase_add_test(tc, test_random);
	tcase_add_test(tc, test_secrets);
	tcase_add_test(tc, test_secret_is_wiped);
	suite_add_tcase(suite, tc);
	return suite;
}

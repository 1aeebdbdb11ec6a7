/* SPDX-License-Identifier: ISC */
/*
 * Encryption: decrypting returns the plaintext, and no other input can be decrypted.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "seal.h"

Suite *suite_seal(void);

START_TEST(test_round_trip)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_seal_ring ring, other;
	struct pl_str sealed, plain;

	pl_seal_ring_derive(&ring, "secret one", 10);
	pl_seal_ring_derive(&other, "secret two", 10);
	sealed = pl_seal(pool, &ring, PL_STR("user:7"), PL_STR("sk-test"));
	ck_assert_uint_eq(sealed.len, 7 + PL_SEAL_OVERHEAD);
	ck_assert(pl_unseal(pool, &ring, PL_STR("user:7"), sealed, &plain));
	ck_assert(pl_str_is(plain, "sk-test"));
	ck_assert_msg(!pl_unseal(pool, &ring, PL_STR("user:8"), sealed, &plain), "moved to another row");
	ck_assert_msg(!pl_unseal(pool, &other, PL_STR("user:7"), sealed, &plain), "another key");
	for (size_t i = 0; i < sealed.len; i++) {
		((char *)(uintptr_t)sealed.ptr)[i] ^= 1;
		ck_assert_msg(!pl_unseal(pool, &ring, PL_STR("user:7"), sealed, &plain), "byte %zu changed", i);
		((char *)(uintptr_t)sealed.ptr)[i] ^= 1;
		ck_assert_msg(!pl_unseal(pool, &ring, PL_STR("user:7"), pl_strn(sealed.ptr, i), &plain), "cut at %zu",
		    i);
	}
	sealed = pl_seal(pool, &ring, PL_STR(""), PL_STR(""));
	ck_assert(pl_unseal(pool, &ring, PL_STR(""), sealed, &plain) && plain.len == 0);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_mac)
{
	unsigned char one[32], two[32], other[32];
	struct pl_seal_ring ring, another;

	pl_seal_ring_derive(&ring, "secret one", 10);
	pl_seal_ring_derive(&another, "secret two", 10);
	pl_seal_mac(&ring, PL_STR("text"), one);
	pl_seal_mac(&ring, PL_STR("text"), two);
	pl_seal_mac(&another, PL_STR("text"), other);
	ck_assert_mem_eq(one, two, 32);
	ck_assert_mem_ne(one, other, 32);
	pl_seal_mac(&ring, PL_STR("texT"), two);
	ck_assert_mem_ne(one, two, 32);
}
END_TEST

START_TEST(test_ring_file)
{
	static const struct { const char *text, *why; } cases[] = {
		{ "", "contains no key" }, { "# only words\n",
		    "contains no key" }, { "abc\n", ":1: a key is 64 hex digits" },
		{ "# new\n00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
		    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n", NULL },
	};
	char path[] = "/tmp/parlour-seal-XXXXXX", why[256];
	struct pl_seal_ring ring;
	int fd = mkstemp(path);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		ck_assert(ftruncate(fd, 0) == 0 && pwrite(fd, cases[i].text, strlen(cases[i].text), 0) >= 0);
		ck_assert_int_eq(pl_seal_ring_load(&ring, path, why), cases[i].why == NULL);
		if (cases[i].why != NULL)
			ck_assert_msg(strstr(why, cases[i].why) != NULL, "%s", why);
		else
			ck_assert_int_eq(ring.count, 2);
	}
	close(fd);
	unlink(path);
	ck_assert(!pl_seal_ring_load(&ring, path, why));
}
END_TEST

Suite *suite_seal(void)
{
	Suite *s = suite_create("seal");
	TCase *t = tcase_create("seal");

	tcase_add_test(t, test_round_trip);
	tcase_add_test(t, test_mac);
	tcase_add_test(t, test_ring_file);
	suite_add_tcase(s, t);
	return s;
}

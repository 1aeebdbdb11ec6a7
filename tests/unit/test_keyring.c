/* SPDX-License-Identifier: ISC */
/*
 * Key files with one key and with several: reading, refusals, writing, and use.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "keyring.h"

Suite *suite_keyring(void);

#define ISSUER "https://chat.example.org"
#define HEX_A "30646335663462326538613934373136623366653564383063326137393133"
#define RING "parlour-keys 1\n"
#define KEY_A "key 2026-11-29T08:00:00Z " HEX_A "65\n"
#define KEY_B "key 2026-03-01T10:30:00+01:00 " HEX_A "66\n"
#define SEAL "seal 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define EIGHT(x) x x x x x x x x

static const char secret[] = "0dc5f4b2e8a94716b3fe5d80c2a7913e";	/* KEY_A */

static struct pl_pool *pool;

static void setup(void)
{
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	pl_pool_free(&pool);
}

static bool load(const char *content, size_t len, mode_t mode, struct pl_keyring *ring, char path[32], char why[256])
{
	bool ok;
	int fd;

	snprintf(path, 32, "/tmp/test_keyring.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	ok = pl_keyring_load(pool, path, ring, why);
	unlink(path);
	return ok;
}

static const struct {
	const char *content;
	size_t len;
	mode_t mode;
	const char *why;	/* NULL: valid; otherwise a part of the message */
} singles[] = {
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e", 32, 0600, NULL },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e\n", 33, 0640, NULL },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e\r\n", 34, 0400, NULL },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913\n", 32, 0600, "31 bytes; at least" },
	{ "", 0, 0600, "generate one with: " },
	{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 40, 0600, "one byte repeated" },
	{ "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7\n", 65, 0600, "known sample" },
	{ "please-Change-Me-before-going-live-0123", 39, 0600, "known sample" },
	{ "YOUR-SECRET-KEY-HERE-YOUR-SECRET-KEY-HERE", 41, 0600, "known sample" },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e", 32, 0644, "chmod 600" },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e", 32, 0620, "chmod 600" },
	{ "0dc5f4b2e8a94716b3fe5d80c2a7913e", 32, 0602, "chmod 600" },
};

START_TEST(test_single)
{
	struct pl_keyring ring;
	struct pl_seal_ring derived;
	unsigned char digest[32];
	char kid[17], path[32], why[256] = "";
	bool ok = load(singles[_i].content, singles[_i].len, singles[_i].mode, &ring, path, why);

	ck_assert_msg(ok == (singles[_i].why == NULL), "%s", why);
	if (!ok) {
		ck_assert_msg(strstr(why, singles[_i].why) != NULL, "%s", why);
		ck_assert_msg(strncmp(why, path, strlen(path)) == 0, "%s", why);
		return;
	}
	ck_assert(ring.single);
	ck_assert_int_eq(ring.count, 1);
	ck_assert_uint_eq(ring.keys[0].secret.len, 32);
	pl_sha256(secret, 32, digest);
	pl_hex(digest, 8, kid);
	ck_assert_str_eq(ring.keys[0].kid, kid);
	pl_seal_ring_derive(&derived, secret, 32);
	ck_assert_mem_eq(&ring.seals, &derived, sizeof(derived));
}
END_TEST

START_TEST(test_odd_files)
{
	struct pl_keyring got;
	char why[256];

	ck_assert(!pl_keyring_load(pool, "/nonexistent/jwt.key", &got, why));
	ck_assert_ptr_nonnull(strstr(why, "generate one with: "));
	ck_assert(!pl_keyring_load(pool, "/tmp", &got, why));
	ck_assert_ptr_nonnull(strstr(why, "not a regular file"));
	ck_assert(!pl_keyring_load(pool, "/dev/zero", &got, why));
}
END_TEST

static const struct { const char *text; int keys, seals, line; const char *why; } rings[] = {
	{ RING KEY_A SEAL, 1, 1, 0, NULL },
	{ RING "\n# keys\n" KEY_A KEY_B "  seal   "
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 2, 1, 0, NULL },
	{ "parlour-keys 1\r\nkey 2026-11-29T08:00:00Z " HEX_A "65\r\n", 1, 0, 0, NULL },
	{ RING KEY_A SEAL SEAL, 1, 1, 0, NULL },	/* twice the same */
	{ RING, 0, 0, 0, "the ring has no line `key`" },
	{ RING SEAL, 0, 0, 0, "the ring has no line `key`" },
	{ "parlour-keys 2\n" KEY_A, 0, 0, 1, "begin with `parlour-keys 1`" },
	{ RING KEY_A "kee x\n", 0, 0, 3, "begins with `key` or `seal`" },
	{ RING KEY_A "key\n", 0, 0, 3, "the time when the key was made" },
	{ RING KEY_A "key yesterday " HEX_A "67\n", 0, 0, 3, "the time when the key was made" },
	{ RING "key 2026-11-29T08:00:00Z\n", 0, 0, 2, "in hex digits" },
	{ RING "key 2026-11-29T08:00:00Z 0011\n", 0, 0, 2, "2 bytes; at least 32" },
	{ RING "key 2026-11-29T08:00:00Z xyz" HEX_A "\n", 0, 0, 2, "in hex digits" },
	{ RING "key 2026-11-29T08:00:00Z " HEX_A "6\n", 0, 0, 2, "in hex digits" },
	{ RING "key 2026-11-29T08:00:00Z " EIGHT("00000000") EIGHT("00000000") "\n", 0, 0, 2, "one byte repeated" },
	{ RING KEY_A KEY_B KEY_A, 0, 0, 4, "the same key" },
	{ RING KEY_A "seal 0011\n", 0, 0, 3, "come 64 hex digits" },
	{ RING KEY_A "seal " EIGHT("0011223x") "\n", 0, 0, 3, "come 64 hex digits" },
};

START_TEST(test_ring)
{
	struct pl_keyring ring;
	char path[32], at[64], why[256] = "";
	bool ok = load(rings[_i].text, strlen(rings[_i].text), 0600, &ring, path, why);

	ck_assert_msg(ok == (rings[_i].why == NULL), "%s", why);
	if (ok) {
		ck_assert(!ring.single);
		ck_assert_int_eq(ring.count, rings[_i].keys);
		ck_assert_int_eq(ring.seals.count, rings[_i].seals);
		ck_assert_mem_eq(ring.keys[0].secret.ptr, secret, 32);
		ck_assert_int_eq(ring.made_s[0], 1795939200);
		return;
	}
	snprintf(at, sizeof(at), rings[_i].line > 0 ? "%s:%d: " : "%s: ", path, rings[_i].line);
	ck_assert_msg(strncmp(why, at, strlen(at)) == 0 && strstr(why, rings[_i].why) != NULL, "%s", why);
}
END_TEST

/* Many keys, and one more than allowed of each kind. */
START_TEST(test_limits)
{
	struct pl_buf text = PL_BUF(pool), more = PL_BUF(pool);
	struct pl_keyring ring;
	char path[32], why[256];

	pl_buf_adds(&text, RING);
	for (int i = 0; i < PL_KEYRING_KEYS; i++)
		pl_buf_addf(&text, "key 2026-11-29T08:00:00Z " HEX_A "%02x\n", i);
	for (int i = 0; i < PL_SEAL_KEYS; i++)
		pl_buf_addf(&text, "seal " EIGHT("001122%02x") "\n", i, i, i, i, i, i, i, i);
	ck_assert_msg(load(text.ptr, text.len, 0600, &ring, path, why), "%s", why);
	ck_assert_int_eq(ring.count, PL_KEYRING_KEYS);
	ck_assert_int_eq(ring.seals.count, PL_SEAL_KEYS);
	pl_buf_add(&more, text.ptr, text.len);
	pl_buf_adds(&more, KEY_A);
	ck_assert(!load(more.ptr, more.len, 0600, &ring, path, why));
	ck_assert_msg(strstr(why, ":26: at most 16 keys") != NULL, "%s", why);
	more.len = text.len;
	pl_buf_adds(&more, SEAL);
	ck_assert(!load(more.ptr, more.len, 0600, &ring, path, why));
	ck_assert_msg(strstr(why, ":26: at most 8 lines `seal`") != NULL, "%s", why);
}
END_TEST

START_TEST(test_format)
{
	struct pl_keyring ring = { 0 }, back;
	struct pl_buf text = PL_BUF(pool);
	char path[32], why[256];

	pl_keyring_add(pool, &ring, pl_strn("a key with\0zero and\nline ends in it", 36), 1795939200);
	pl_keyring_add(pool, &ring, pl_str(secret), 1700000000);
	pl_seal_ring_derive(&ring.seals, "x", 1);
	pl_keyring_format(&ring, &text);
	ck_assert_msg(load(text.ptr, text.len, 0600, &back, path, why), "%s", why);
	ck_assert_int_eq(back.count, 2);
	ck_assert_uint_eq(back.tag, ring.tag);
	ck_assert_int_eq(back.made_s[1], 1700000000);
	ck_assert_uint_eq(back.keys[0].secret.len, 36);
	ck_assert_mem_eq(back.keys[0].secret.ptr, ring.keys[0].secret.ptr, 36);
	ck_assert_mem_eq(&back.seals, &ring.seals, sizeof(ring.seals));
}
END_TEST

static void ring_of(struct pl_keyring *ring, const char *letters)
{
	char text[33] = "0dc5f4b2e8a94716b3fe5d80c2a7913e";

	*ring = (struct pl_keyring){ 0 };
	for (; *letters != '\0'; letters++) {
		text[0] = *letters;
		pl_keyring_add(pool, ring, pl_str(text), 0);
	}
}

/* A token was signed with the first key of the old ring: does the new ring have that key? */
static const struct { const char *old, *fresh; bool good; } uses[] = {
	{ "a", "a", true }, { "a", "ba", true }, { "a", "cba", true }, { "a", "b", false }, { "a", "bc", false },
	{ "ba", "a", false }, { "ba", "cb", true }, { "a", "bcdefghijklmnopa", true },
};

START_TEST(test_verify)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	struct pl_token token = { .type = PL_TOKEN_ACCESS, .user_id = 42, .login_id = 7, .issued_s = now_s,
		.expires_s = now_s + 900, .name = "ann" }, got;
	struct pl_keyring old, fresh;
	struct pl_err err = { 0 };
	unsigned char mac[32];
	struct pl_str text;
	uint64_t number = 0;
	bool good;

	ring_of(&old, uses[_i].old);
	ring_of(&fresh, uses[_i].fresh);
	text = pl_token_sign(pool, pl_keyring_signer(&old), ISSUER, &token);
	good = pl_keyring_verify(text, &fresh, ISSUER, PL_TOKEN_ACCESS, &got, &err);
	ck_assert_int_eq(good, uses[_i].good);
	ck_assert(!good || got.signed_by == old.numbers[0]);
	ck_assert_int_eq(pl_keyring_has(&fresh, old.numbers[0]), uses[_i].good);
	pl_keyring_mac(&old, "thing:1", 7, mac);
	ck_assert_int_eq(pl_keyring_mac_ok(&fresh, "thing:1", 7, mac, 16, &number), uses[_i].good);
	ck_assert(!good || number == old.numbers[0]);
	ck_assert(!pl_keyring_mac_ok(&fresh, "thing:2", 7, mac, 16, NULL));
	ck_assert_int_eq(old.tag == fresh.tag, strcmp(uses[_i].old, uses[_i].fresh) == 0);
	ck_assert(!pl_keyring_verify(PL_STR("x"), &fresh, ISSUER, PL_TOKEN_ACCESS, &got, &err));
	ck_assert(!pl_keyring_verify(PL_STR_NONE, &fresh, ISSUER, PL_TOKEN_ACCESS, &got, &err));
}
END_TEST

Suite *suite_keyring(void)
{
	Suite *suite = suite_create("keyring");
	TCase *tc = tcase_create("keyring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_single, 0, (int)PL_COUNT(singles));
	tcase_add_test(tc, test_odd_files);
	tcase_add_loop_test(tc, test_ring, 0, (int)PL_COUNT(rings));
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_format);
	tcase_add_loop_test(tc, test_verify, 0, (int)PL_COUNT(uses));
	suite_add_tcase(suite, tc);
	return suite;
}

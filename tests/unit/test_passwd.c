/* SPDX-License-Identifier: ISC */
/*
 * Argon2id at the lowest cost that the library accepts, so that the suite stays fast.
 */
#include <check.h>
#include <stdlib.h>

#include "passwd.h"

Suite *suite_passwd(void);

static const struct pl_passwd_cost cheap = { .passes = 1, .memory_kib = 64, .lanes = 1 };
static const struct pl_passwd_cost dearer = { .passes = 2, .memory_kib = 64, .lanes = 1 };

START_TEST(round_trip)
{
	struct pl_str password = PL_STR("correct horse b\xc3\xa4ttery");
	char one[PL_PASSWD_HASH_MAX], two[PL_PASSWD_HASH_MAX];
	bool rehash = true;

	ck_assert(pl_passwd_hash(password, cheap, one));
	ck_assert(pl_passwd_hash(password, cheap, two));
	ck_assert_str_ne(one, two);	/* salted */
	ck_assert(strncmp(one, "$argon2id$v=19$m=64,t=1,p=1$", 28) == 0);
	ck_assert(pl_passwd_verify(password, pl_str(one), cheap, &rehash));
	ck_assert(!rehash);
	ck_assert(pl_passwd_verify(password, pl_str(two), dearer, &rehash));
	ck_assert(rehash);
	ck_assert(!pl_passwd_verify(PL_STR("correct horse"), pl_str(one), cheap, &rehash));
	ck_assert(!rehash);
	ck_assert(!pl_passwd_verify(PL_STR(""), pl_str(one), cheap, &rehash));
}
END_TEST

/* A stored hash stays valid: password "password", salt "saltsaltsaltsalt", 1 pass, 64 KiB, 1 lane. */
START_TEST(known)
{
	bool rehash;

	ck_assert(pl_passwd_verify(PL_STR("password"), PL_STR("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "Wb9DOLKUgwlL5fjad9tfCPU0SBAo0PEY/evJRhwtUR0"), cheap, &rehash));
	ck_assert(!rehash);
}
END_TEST

/* RFC 8265 OpaqueString: the same typed password is the same, whatever bytes the keyboard sends. */
START_TEST(forms)
{
	static const struct { const char *set, *typed; bool good; } pairs[] = {
		{ "caf\xc3\xa9-12345", "cafe\xcc\x81-12345", true },		/* NFC, NFD */
		{ "cafe\xcc\x81-12345", "caf\xc3\xa9-12345", true },
		{ "a b", "a\xc2\xa0" "b", true },				/* U+00A0 */
		{ "a\xe3\x80\x80" "b", "a b", true },				/* U+3000 */
		{ "\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", true },	/* Hangul */
		{ "a", "A", false }, { "a", "\xef\xbd\x81", false },		/* case and width count */
		{ "a b", "a  b", false }, { " a", "a", false }, { "\xc3\xa9", "e", false },
		{ "\xff\xfe", "\xff\xfe", true }, { "\xff\xfe", "\xff\xfd", false },	/* not UTF-8 */
	};
	char hash[PL_PASSWD_HASH_MAX];
	bool rehash;

	for (size_t i = 0; i < PL_COUNT(pairs); i++) {
		ck_assert(pl_passwd_hash(pl_str(pairs[i].set), cheap, hash));
		ck_assert_msg(pl_passwd_verify(pl_str(pairs[i].typed), pl_str(hash), cheap, &rehash) == pairs[i].good,
		    "pair %zu", i);
		ck_assert(!rehash);
	}
}
END_TEST

/*
 * A hash of raw bytes, from before passwords were normalized: "cafe" U+0301, with the same salt and cost as in known.
 */
START_TEST(hash_of_raw_bytes)
{
	static const char old[] = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "x4Xw+2W9JaX/fp4Y3YGdVPL/wl/d3KVPAGgZURNvAPY";
	bool rehash;

	ck_assert(pl_passwd_verify(PL_STR("cafe\xcc\x81"), pl_str(old), cheap, &rehash));
	ck_assert(rehash);	/* so that the other spelling works from now on */
	ck_assert(!pl_passwd_verify(PL_STR("cafe\xcc\x82"), pl_str(old), cheap, &rehash));
	ck_assert(!rehash);
}
END_TEST

START_TEST(bytes)
{
	char hash[PL_PASSWD_HASH_MAX], big[PL_PASSWD_MAX + 1];
	bool rehash;

	/* A NUL inside counts; lengths on both sides of the limit; the empty password. */
	ck_assert(pl_passwd_hash(pl_strn("a\0b", 3), cheap, hash));
	ck_assert(pl_passwd_verify(pl_strn("a\0b", 3), pl_str(hash), cheap, &rehash));
	ck_assert(!pl_passwd_verify(pl_strn("a\0c", 3), pl_str(hash), cheap, &rehash));
	memset(big, 'p', sizeof(big));
	ck_assert(pl_passwd_hash(pl_strn(big, PL_PASSWD_MAX), cheap, hash));
	ck_assert(pl_passwd_verify(pl_strn(big, PL_PASSWD_MAX), pl_str(hash), cheap, &rehash));
	ck_assert(!pl_passwd_verify(pl_strn(big, PL_PASSWD_MAX + 1), pl_str(hash), cheap, &rehash));
	ck_assert(!pl_passwd_hash(pl_strn(big, PL_PASSWD_MAX + 1), cheap, hash));
	ck_assert(!pl_passwd_hash(PL_STR_NONE, cheap, hash));
	ck_assert(pl_passwd_hash(PL_STR(""), cheap, hash));
	ck_assert(pl_passwd_verify(PL_STR(""), pl_str(hash), cheap, &rehash));
}
END_TEST

START_TEST(unreadable)
{
	static const char *const hashes[] = {
		"", "x", "$", "$argon2id$", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAA",
		"$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAA", "$argon2id$v=19$m=64,t=1,p=1",
		"$argon2id$v=19$m=64,t=1,p=1$$", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$",
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$!!!!", "$argon2id$v=19$m=64,t=1$c2FsdA$AAAA",
		/* more memory, time, or lanes than the limits */
		"$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=100000,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=1,p=4000$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		/* bcrypt: too short, another kind, too high a cost, a character outside its alphabet */
		"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMU",
		"$2x$05$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
		"$2b$31$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
		"$2b$05$R9h/cIPz0gi!URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
		"$argon2id$v=19$m=64,t=1,p=1,x=1$c2FsdHNhbHRzYWx0c2FsdA$AAAA",
	};
	char nul[] = "$argon2id$v=19$m=64,t=1,p=1$c2FsdA\0c2FsdA$AAAA";
	bool rehash = true;

	for (size_t i = 0; i < PL_COUNT(hashes); i++) {
		ck_assert_msg(!pl_passwd_verify(PL_STR("x"), pl_str(hashes[i]), cheap, &rehash), "%s", hashes[i]);
		ck_assert(!rehash);
	}
	ck_assert(!pl_passwd_verify(PL_STR("x"), PL_STR_NONE, cheap, &rehash));
	ck_assert(!pl_passwd_verify(PL_STR("x"), pl_strn(nul, sizeof(nul) - 1), cheap, &rehash));
}
END_TEST

/* Vectors of crypt_blowfish (openwall.com/crypt); all request a new hash. */
START_TEST(bcrypt)
{
	static const struct { const char *password, *hash; } good[] = {
		{ "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK" },
		{ "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a" },
		{ "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy" },
		{ "\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq" },
		{ "\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq" },
		{ "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
		    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
	};
	bool rehash;

	for (size_t i = 0; i < PL_COUNT(good); i++) {
		rehash = false;
		ck_assert_msg(pl_passwd_verify(pl_str(good[i].password), pl_str(good[i].hash), cheap, &rehash), "%zu",
		    i);
		ck_assert(rehash);
		ck_assert(!pl_passwd_verify(PL_STR("U*V"), pl_str(good[i].hash), cheap, &rehash));
		ck_assert(!rehash);
	}
	ck_assert(!pl_passwd_verify(pl_strn("U*U\0x", 5), pl_str(good[0].hash), cheap, &rehash));
	ck_assert(!pl_passwd_verify(pl_strn("U*U\0", 4), pl_str(good[0].hash), cheap, &rehash));
}
END_TEST

Suite *suite_passwd(void)
{
	Suite *suite = suite_create("passwd");
	TCase *tc = tcase_create("passwd");

	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, known);
	tcase_add_test(tc, forms);
	tcase_add_test(tc, hash_of_raw_bytes);
	tcase_add_test(tc, bytes);
	tcase_add_test(tc, unreadable);
	tcase_add_test(tc, bcrypt);
	suite_add_tcase(suite, tc);
	return suite;
}

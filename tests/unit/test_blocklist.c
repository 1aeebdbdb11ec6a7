/* SPDX-License-Identifier: ISC */
/*
 * Lists of common passwords: reading, refused files, lookups.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "blocklist.h"
#include "clock.h"

Suite *suite_blocklist(void);

static struct pl_pool *pool;

static void setup(void)
{
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	pl_pool_free(&pool);
}

static bool load(struct pl_str content, struct pl_blocklist *list, char why[256])
{
	char path[] = "/tmp/test_blocklist.XXXXXX";
	int fd = mkstemp(path);
	bool good;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content.ptr, content.len), (ssize_t)content.len);
	close(fd);
	good = pl_blocklist_load(pool, path, list, why);
	unlink(path);
	return good;
}

static const struct { const char *password; bool in; } asked[] = {
	{ "password123", true }, { "PassWord123", true }, { "password12", false }, { "password123 ", false },
	{ "#hash", true }, { " blank ", true }, { "blank", false }, { "last", true }, { "", false },
	{ "stra\xc3\x9f" "e", true }, { "STRASSE", true }, { "\xc3\x84pfel", true }, { "a\xcc\x88pfel", true },
	{ "A\xcc\x88PFEL", true }, { "apfel", false }, { "wide blank", true }, { "wide\xe3\x80\x80" "blank", true },
};

START_TEST(test_asked)
{
	struct pl_blocklist list;
	char why[256];

	ck_assert_msg(load(PL_STR("Password123\r\npassword123\n\n#hash\n blank \nstra\xc3\x9f" "e\nno utf-8 \xff\n"
	    "\xc3\xa4pfel\nwide\xe3\x80\x80" "blank\nlast"), &list, why), "%s", why);
	ck_assert_uint_eq(list.count, 7);
	ck_assert_int_eq(pl_blocklist_has(&list, pl_str(asked[_i].password)), asked[_i].in);
}
END_TEST

static const struct { const char *text; const char *why; } refused[] = {
	{ "", "must be a file of 1 byte to 256 MiB" }, { "\n\n", "contains no password" },
	{ "\xff\xfe\n", "contains no password" },
};

START_TEST(test_refused)
{
	struct pl_blocklist list;
	char why[256];

	ck_assert(!load(pl_str(refused[_i].text), &list, why));
	ck_assert_msg(strstr(why, refused[_i].why) != NULL, "%s", why);
	ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(test_other_files)
{
	struct pl_buf text = PL_BUF(pool);
	struct pl_blocklist list;
	char why[256];

	ck_assert(!pl_blocklist_load(pool, "/nonexistent/list", &list, why));
	ck_assert(strstr(why, "/nonexistent/list: No such file") != NULL);
	ck_assert(!pl_blocklist_load(pool, "/tmp", &list, why));
	ck_assert(strstr(why, "must be a file") != NULL);
	pl_buf_adds(&text, "good\n");
	for (int i = 0; i < 1025; i++)
		pl_buf_adds(&text, "x");
	ck_assert(!load(pl_buf_str(&text), &list, why));
	ck_assert_msg(strstr(why, ":2: a line has more than 1024 bytes") != NULL, "%s", why);
	ck_assert(!pl_blocklist_has(&(struct pl_blocklist){ 0 }, PL_STR("x")));
}
END_TEST

static void *shorten(void *arg)
{
	const int *job = arg;			/* file, microseconds */

	usleep((useconds_t)job[1]);
	ck_assert_int_eq(ftruncate(job[0], 5), 0);
	return NULL;
}

/* The master reads the file while an operator replaces it; a mapped file would end the process. */
START_TEST(test_a_file_that_becomes_shorter)
{
	for (int i = 0; i < 8; i++) {
		char path[] = "/tmp/test_blocklist.XXXXXX", why[256];
		int job[2] = { mkstemp(path), i * 2000 };
		struct pl_blocklist list;
		pthread_t thread;

		ck_assert_int_ge(job[0], 0);
		ck_assert_int_eq(write(job[0], "word\n", 5), 5);
		ck_assert_int_eq(ftruncate(job[0], 64 << 20), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, shorten, job), 0);
		if (pl_blocklist_load(pool, path, &list, why))
			ck_assert(pl_blocklist_has(&list, PL_STR("word")));
		else
			ck_assert_msg(strstr(why, ":2: a line has more than 1024 bytes") != NULL, "%s", why);
		pthread_join(thread, NULL);
		close(job[0]);
		unlink(path);
	}
}
END_TEST

/* All of many passwords are found, no others are, and lookups are fast. */
START_TEST(test_many)
{
	enum { LINES = 200000, LOOKS = 100000 };
	struct pl_buf text = PL_BUF(pool);
	struct pl_blocklist list;
	char why[256], word[32];
	int64_t start_ns, spent_ns;

	for (int i = 0; i < LINES; i++)
		pl_buf_addf(&text, "pass%d\n", i);
	ck_assert_msg(load(pl_buf_str(&text), &list, why), "%s", why);
	ck_assert_uint_eq(list.count, LINES);
	start_ns = pl_now_ns();
	for (int i = 0; i < LOOKS; i++) {
		int n = snprintf(word, sizeof(word), "%s%d", i % 2 == 0 ? "PASS" : "word", i);

		ck_assert(pl_blocklist_has(&list, pl_strn(word, (size_t)n)) == (i % 2 == 0));
	}
	spent_ns = pl_now_ns() - start_ns;
	ck_assert_int_lt(spent_ns / LOOKS, 20000);	/* a search that reads all entries takes longer */
}
END_TEST

/* A list whose hashes are not evenly spread is searched to the end, too. */
START_TEST(test_uneven)
{
	static uint64_t hashes[1000];
	struct pl_blocklist list = { hashes, PL_COUNT(hashes) };

	for (size_t i = 0; i < PL_COUNT(hashes); i++)
		hashes[i] = i < 999 ? i : UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		char word[16];
		int n = snprintf(word, sizeof(word), "w%d", i);

		ck_assert(!pl_blocklist_has(&list, pl_strn(word, (size_t)n)));
	}
}
END_TEST

Suite *suite_blocklist(void)
{
	Suite *suite = suite_create("blocklist");
	TCase *tc = tcase_create("blocklist");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_asked, 0, (int)PL_COUNT(asked));
	tcase_add_loop_test(tc, test_refused, 0, (int)PL_COUNT(refused));
	tcase_add_test(tc, test_other_files);
	tcase_add_test(tc, test_a_file_that_becomes_shorter);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_uneven);
	suite_add_tcase(suite, tc);
	return suite;
}

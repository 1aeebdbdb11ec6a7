/* SPDX-License-Identifier: ISC */
/* Log lines in both formats, hostile values, files, and targets that accept no line. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "task.h"

static char dir[] = "/tmp/parlour-log-XXXXXX", path[64], why[256], content[1 << 17];

static void make_dir(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	pl_clock_fake(1, 1700000000123456);
}

static void drop_dir(void)
{
	char rotated[80];

	unlink(path);
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	unlink(rotated);
	rmdir(dir);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	pl_clock_fake(0, 0);
}

static void open_log(enum pl_log_format format, bool no_time)
{
	struct pl_log_opts opts = {
		.level = PL_LOG_INFO, .format = format, .target = PL_LOG_FILE, .path = path, .no_time = no_time
	};

	ck_assert_msg(pl_log_open(&opts, why), "%s", why);
}

/* The content of the log since the last call, without "pid=N ", which differs in each run. */
static const char *take(void)
{
	FILE *file = fopen(path, "r+");
	char pid[32], *at;
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(content, 1, sizeof(content) - 1, file);
	content[len] = '\0';
	ck_assert_int_eq(ftruncate(fileno(file), 0), 0);
	fclose(file);
	snprintf(pid, sizeof(pid), "pid=%d ", (int)getpid());
	at = strstr(content, pid);
	if (at != NULL)
		memmove(at, at + strlen(pid), strlen(at + strlen(pid)) + 1);
	return content;
}

START_TEST(test_kv)
{
	open_log(PL_LOG_KV, false);
	pl_log(PL_LOG_INFO, NULL, "worker started", "slot=%d share=%.2f hex=%04x size=%zu", 3, 0.5, 0xabu, (size_t)9);
	ck_assert_str_eq(take(), "level=info t=2023-11-14T22:13:20.123456Z msg=\"worker started\" "
	    "slot=3 share=0.50 hex=00ab size=9\n");
	pl_log_proc("worker/2");
	open_log(PL_LOG_KV, true);
	pl_log(PL_LOG_WARN, NULL, "x", NULL);
	ck_assert_str_eq(take(), "level=warn proc=worker/2 msg=x\n");
	pl_log(PL_LOG_ERROR, NULL, "x", "  a=%s   b=%d/%d loose c=100%% ", "", 1, 2);
	ck_assert_str_eq(take(), "level=error proc=worker/2 msg=x a=\"\" b=1/2 note=loose c=100%\n");
	pl_log_proc("");
}
END_TEST

START_TEST(test_conversions)
{
	open_log(PL_LOG_KV, true);
	pl_log(PL_LOG_INFO, NULL, "m", "a=%hhd b=%hu c=%ld d=%llu e=%jd f=%td g=%i", (signed char)-1,
	    (unsigned short)65535, -5L, 18446744073709551615ull, (intmax_t)INT64_MIN, (ptrdiff_t)-7, 8);
	ck_assert_str_eq(take(), "level=info msg=m a=-1 b=65535 c=-5 d=18446744073709551615 e=-9223372036854775808 "
	    "f=-7 g=8\n");
	pl_log(PL_LOG_INFO, NULL, "m", "a=%5d b=%-4dz c=%+d d=%o e=%X f=%#x g=%c h=%*d i=%.*s j=%.3s", 1, 2, 3, 8u,
	    255u, 16u, 'q', 4, 5, 2, "abc", "abcdef");
	ck_assert_str_eq(take(), "level=info msg=m a=\"    1\" b=\"2   z\" c=+3 d=10 e=FF f=0x10 g=q h=\"   5\" "
	    "i=ab j=abc\n");
	pl_log(PL_LOG_INFO, NULL, "m", "a=%g b=%e c=%Lf d=%f", 1.5, 12345.0, 2.5L, -0.125);
	ck_assert_str_eq(take(), "level=info msg=m a=1.5 b=1.234500e+04 c=2.500000 d=-0.125000\n");
	errno = ENOENT;
	pl_log(PL_LOG_INFO, NULL, "m", "why=%m");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(take(), "level=info msg=m why=\"No such file or directory\"\n");
}
END_TEST

static const struct { const char *value, *kv, *json; } hostile_cases[] = {
	{ "plain", "plain", "plain" },
	{ "two words", "\"two words\"", "two words" },
	{ "a=b", "\"a=b\"", "a=b" },
	{ "a\nlevel=error msg=forged", "\"a\\nlevel=error msg=forged\"", "a\\nlevel=error msg=forged" },
	{ "a\r\tb", "\"a\\r\\tb\"", "a\\r\\tb" },
	{ "\x1b[31mred", "\"\\u001b[31mred\"", "\\u001b[31mred" },
	{ "say \"hi\" \\", "\"say \\\"hi\\\" \\\\\"", "say \\\"hi\\\" \\\\" },
	{ "\x7f", "\"\\u007f\"", "\\u007f" },
	{ "\xc2\x9b", "\"\\u009b\"", "\\u009b" },			/* C1: CSI in one character */
	{ "\xe2\x80\xa8", "\"\\u2028\"", "\\u2028" },
	{ "\xe2\x80\xae", "\"\\u202e\"", "\\u202e" },			/* reverses the writing direction */
	{ "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f" },
	{ "\xff\xc3", "\"\\xff\\xc3\"", "\\ufffd\\ufffd" },
	{ "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\\ufffd\\ufffd\\ufffd" },
	{ "123", "123", "123" },
	{ "%s%n", "%s%n", "%s%n" },
};

START_TEST(test_hostile_values)
{
	for (size_t i = 0; i < PL_COUNT(hostile_cases); i++) {
		char want[200];

		open_log(PL_LOG_KV, true);
		pl_log(PL_LOG_INFO, NULL, "m", "v=%s", hostile_cases[i].value);
		snprintf(want, sizeof(want), "level=info msg=m v=%s\n", hostile_cases[i].kv);
		ck_assert_str_eq(take(), want);
		open_log(PL_LOG_JSON, true);
		pl_log(PL_LOG_INFO, NULL, "m", "v=%s", hostile_cases[i].value);
		snprintf(want, sizeof(want), "{\"level\":\"info\",\"pid\":%d,\"msg\":\"m\",\"v\":\"%s\"}\n",
		    (int)getpid(), hostile_cases[i].json);
		ck_assert_str_eq(take(), want);
	}
}
END_TEST

START_TEST(test_json)
{
	struct pl_task *task = pl_task_new(INT64_MAX);
	struct pl_pool *pool = pl_pool_new(0);
	const struct pl_jval *line;
	int64_t number = 0;

	open_log(PL_LOG_JSON, false);
	pl_log(PL_LOG_INFO, task, "request", "n=%d f=%.1f text=%s ratio=%d/%d pad=%03d", -5, 2.5, "7", 1, 2, 7);
	take();
	line = pl_json_parse(pool, pl_str(content), NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert(pl_str_is(pl_json_str(pl_json_get(line, "t")), "2023-11-14T22:13:20.123456Z"));
	ck_assert(pl_str_is(pl_json_str(pl_json_get(line, "request_id")), task->request_id));
	ck_assert(pl_json_i64(pl_json_get(line, "n"), -9, 9, &number));
	ck_assert_int_eq(number, -5);
	ck_assert_int_eq(pl_json_get(line, "f")->type, PL_J_NUMBER);
	ck_assert_int_eq(pl_json_get(line, "text")->type, PL_J_STRING);
	ck_assert_int_eq(pl_json_get(line, "ratio")->type, PL_J_STRING);
	ck_assert_int_eq(pl_json_get(line, "pad")->type, PL_J_STRING);
	pl_pool_free(&pool);
	pl_task_release(&task);
}
END_TEST

START_TEST(test_level)
{
	open_log(PL_LOG_KV, true);
	pl_log(PL_LOG_DEBUG, NULL, "no", NULL);
	ck_assert_str_eq(take(), "");
	ck_assert(!pl_log_on(PL_LOG_DEBUG));
	pl_log_level_set(PL_LOG_DEBUG);
	ck_assert(pl_log_on(PL_LOG_DEBUG));
	pl_log(PL_LOG_DEBUG, NULL, "yes", NULL);
	ck_assert_str_eq(take(), "level=debug msg=yes\n");
	pl_log_level_set(PL_LOG_ERROR);
	pl_log(PL_LOG_WARN, NULL, "no", NULL);
	ck_assert_str_eq(take(), "");
}
END_TEST

/* Values of every size, in both formats: one line, at most PIPE_BUF, JSON stays JSON, later fields are not lost. */
START_TEST(test_long_values)
{
	static char text[6001];

	for (int json = 0; json < 2; json++) {
		open_log(json ? PL_LOG_JSON : PL_LOG_KV, true);
		for (size_t len = 0; len < sizeof(text); len += 61) {
			struct pl_pool *pool = pl_pool_new(0);

			memset(text, len % 2 == 0 ? '\n' : 'x', len);
			text[len] = '\0';
			pl_log(PL_LOG_INFO, NULL, "m", "a=%s b=%s c=%s d=%s e=%d", text, text, text, text, 1);
			take();
			ck_assert_uint_le(strlen(content), 4096);
			ck_assert_ptr_eq(strchr(content, '\n'), content + strlen(content) - 1);
			if (json)
				ck_assert_ptr_nonnull(pl_json_parse(pool, pl_str(content), NULL));
			ck_assert_ptr_nonnull(strstr(content, json ? "\"e\":1" : " e=1"));
			pl_pool_free(&pool);
		}
	}
	ck_assert_ptr_nonnull(strstr(content, "\"cut\":true}\n"));
}
END_TEST

START_TEST(test_file_and_reopen)
{
	char old[80];
	struct stat about;
	struct pl_log_opts bad = { .level = PL_LOG_INFO, .target = PL_LOG_FILE, .path = "/nonexistent-dir/log" };

	umask(0);
	open_log(PL_LOG_KV, true);
	ck_assert_int_eq(stat(path, &about), 0);
	ck_assert_int_eq(about.st_mode & 07777, 0640);
	ck_assert(!pl_log_open(&bad, why));
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent-dir/log"));
	bad.path = NULL;
	ck_assert(!pl_log_open(&bad, why));
	pl_log(PL_LOG_INFO, NULL, "still here", NULL);
	ck_assert_str_eq(take(), "level=info msg=\"still here\"\n");
	snprintf(old, sizeof(old), "%s.1", path);
	ck_assert_int_eq(rename(path, old), 0);
	pl_log_reopen();
	pl_log(PL_LOG_INFO, NULL, "new file", NULL);
	ck_assert_str_eq(take(), "level=info msg=\"new file\"\n");
}
END_TEST

/* A full pipe accepts no line and does not block; lost lines are counted, and the log reports them afterwards. */
START_TEST(test_full_pipe)
{
	int fds[2], saved = dup(STDERR_FILENO), flags;
	struct pl_log_opts opts = { .level = PL_LOG_INFO, .target = PL_LOG_STDERR, .no_time = true };
	unsigned long dropped;
	ssize_t got;

	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	flags = fcntl(STDERR_FILENO, F_GETFL);
	ck_assert(pl_log_open(&opts, why));
	for (int i = 0; i < 3000; i++)
		pl_log(PL_LOG_INFO, NULL, "line", "i=%d pad=%s", i, "0123456789012345678901234567890123456789");
	dropped = pl_log_dropped();
	ck_assert_uint_gt(dropped, 0);
	ck_assert_uint_lt(dropped, 3000);
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL), flags);
	got = read(fds[0], content, 65536);
	ck_assert_int_gt(got, 0);
	pl_log(PL_LOG_INFO, NULL, "after", NULL);
	got = read(fds[0], content, sizeof(content) - 1);
	ck_assert_int_gt(got, 0);
	content[got] = '\0';
	ck_assert_ptr_nonnull(strstr(content, "msg=\"log lines were dropped\" count="));
	ck_assert_ptr_nonnull(strstr(content, "msg=after\n"));
	ck_assert_uint_eq(pl_log_dropped(), dropped);
	dup2(saved, STDERR_FILENO);
}
END_TEST

START_TEST(test_full_disk)
{
	struct pl_log_opts opts = { .level = PL_LOG_INFO, .target = PL_LOG_FILE, .path = "/dev/full" };
	unsigned long before = pl_log_dropped();

	ck_assert(pl_log_open(&opts, why));
	pl_log(PL_LOG_INFO, NULL, "a", NULL);
	ck_assert_uint_eq(pl_log_dropped(), before + 1);
}
END_TEST

START_TEST(test_access)
{
	open_log(PL_LOG_KV, true);
	ck_assert(!pl_access_on());
	pl_access("method=%s", "GET");
	ck_assert_str_eq(take(), "");
	ck_assert(pl_access_open("-", why));
	ck_assert(pl_access_on());
	pl_access("method=%s status=%d", "GET", 200);
	ck_assert_str_eq(take(), "level=info msg=access method=GET status=200\n");
	ck_assert(!pl_access_open("/nonexistent-dir/access", why));
	ck_assert(pl_access_on());
	ck_assert(pl_access_open(path, why));
	pl_access("method=%s agent=%s", "GET", "x\ny");
	ck_assert_str_eq(take(), "method=GET agent=\"x\\ny\"\n");
	open_log(PL_LOG_JSON, false);
	pl_access("status=%d", 200);
	ck_assert_str_eq(take(), "{\"t\":\"2023-11-14T22:13:20.123456Z\",\"status\":200}\n");
	ck_assert(pl_access_open(NULL, why));
	ck_assert(!pl_access_on());
}
END_TEST

Suite *suite_log(void);
Suite *suite_log(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, make_dir, drop_dir);
	tcase_add_test(tc, test_kv);
	tcase_add_test(tc, test_conversions);
	tcase_add_test(tc, test_hostile_values);
	tcase_add_test(tc, test_json);
	tcase_add_test(tc, test_level);
	tcase_add_test(tc, test_long_values);
	tcase_add_test(tc, test_file_and_reopen);
	tcase_add_test(tc, test_full_pipe);
	tcase_add_test(tc, test_full_disk);
	tcase_add_test(tc, test_access);
	suite_add_tcase(suite, tc);
	return suite;
}

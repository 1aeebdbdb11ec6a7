/* SPDX-License-Identifier: ISC */
/*
 * Configuration: every type in both directions, files, sections, overrides, and the messages.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfg.h"
#include "cfg_value.h"

Suite *suite_cfg(void);

struct values {
	int64_t workers, body_bytes, timeout_ms, mode;
	bool fast;
	const char *name, *password;
	int level;
	struct pl_rate rate;
	struct pl_list hosts;
};

struct upstream {
	const char *url;
	int64_t timeout_ms;
	struct pl_list models;
};

static const char *const levels[] = { "error", "warn", "info", NULL };

#define AT(field) .offset = offsetof(struct values, field)
static const struct pl_setting settings[] = {
	{ .name = "workers", .type = PL_SET_INT, .def = "2", .min = 1, .max = 64, AT(workers) },
	{ .name = "fast", .type = PL_SET_BOOL, .def = "off", AT(fast) },
	{ .name = "body_limit", .type = PL_SET_SIZE, .def = "64k", .min = 1024, .max = 1 << 30, AT(body_bytes) },
	{ .name = "stop_timeout", .type = PL_SET_TIME, .def = "10s", .min = 100, .max = 86400000, AT(timeout_ms) },
	{ .name = "name", .type = PL_SET_STR, .def = "parlour", .min = 1, .max = 20, AT(name) },
	{ .name = "password", .type = PL_SET_SECRET, .def = "", .min = 8, .max = 100, AT(password) },
	{ .name = "log_level", .type = PL_SET_ENUM, .def = "info", .words = levels, AT(level) },
	{ .name = "rate_login", .type = PL_SET_RATE, .def = "5/min", .min = 0, .max = 1000, AT(rate) },
	{ .name = "hosts", .type = PL_SET_LIST, .def = "localhost, 127.0.0.1", AT(hosts) },
	{ .name = "socket_mode", .type = PL_SET_MODE, .def = "0660", AT(mode) },
};
#undef AT
#define AT(field) .offset = offsetof(struct upstream, field)
static const struct pl_setting group_settings[] = {
	{ .name = "url", .type = PL_SET_STR, AT(url) },
	{ .name = "timeout", .type = PL_SET_TIME, .def = "30s", AT(timeout_ms) },
	{ .name = "models", .type = PL_SET_LIST, .def = "", AT(models) },
};
static const struct pl_schema schema = {
	.settings = settings, .count = PL_COUNT(settings), .group = "upstream", .group_settings = group_settings,
	.group_count = PL_COUNT(group_settings), .group_bytes = sizeof(struct upstream),
};
static const struct pl_schema flat = { .settings = settings, .count = PL_COUNT(settings) };

static struct pl_pool *pool;
static struct values values;
static struct pl_cfg cfg;
static char path[64];
static int fd;

static void setup(void)
{
	pool = pl_pool_new(0);
	values = (struct values){ 0 };
	cfg = (struct pl_cfg){ .pool = pool, .schema = &schema, .values = &values };
	fd = memfd_create("cfg", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

static void teardown(void)
{
	close(fd);
	pl_pool_free(&pool);
}

static bool read_bytes(const char *text, size_t len)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, text, len, 0), (ssize_t)len);
	return pl_cfg_read(&cfg, path, NULL, 0);
}

static bool read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static const struct upstream *upstream_at(int i)
{
	return (const struct upstream *)cfg.groups + i;
}

START_TEST(defaults)
{
	ck_assert_msg(pl_cfg_read(&cfg, NULL, NULL, 0), "%s", cfg.why);
	ck_assert_int_eq(values.workers, 2);
	ck_assert(!values.fast);
	ck_assert_int_eq(values.body_bytes, 65536);
	ck_assert_int_eq(values.timeout_ms, 10000);
	ck_assert_str_eq(values.name, "parlour");
	ck_assert_str_eq(values.password, "");
	ck_assert_int_eq(values.level, 2);
	ck_assert_int_eq(values.rate.burst, 5);
	ck_assert_int_eq(values.hosts.count, 2);
	ck_assert_str_eq(values.hosts.items[1], "127.0.0.1");
	ck_assert_int_eq(values.mode, 0660);
	ck_assert_int_eq(cfg.groups_count, 0);
	for (size_t i = 0; i < PL_COUNT(settings); i++) {
		ck_assert_str_eq(cfg.origins[i], "default");
		ck_assert_str_eq(cfg.texts[i], settings[i].def);
	}
}
END_TEST

START_TEST(whole_file)
{
	static const char text[] = "\xef\xbb\xbf# a comment\r\n; another\n\nworkers = 8\r\nfast=yes\n"
	    "  name =  caf\xc3\xa9 ; # x \npassword = p;q #r = s\nhosts = a  b,c ,, d\nrate_login: 30/min burst 60\n"
	    "[upstream local]\nurl = http://127.0.0.1:11434/v1\n\n[ upstream  cloud.2 ]\n[upstream third]\n"
	    "models = m1 m2\ntimeout = 500ms\nurl =";

	ck_assert_msg(read_text(text), "%s", cfg.why);
	ck_assert_int_eq(values.workers, 8);
	ck_assert(values.fast);
	ck_assert_str_eq(values.name, "caf\xc3\xa9 ; # x");
	ck_assert_str_eq(values.password, "p;q #r = s");
	ck_assert_int_eq(values.hosts.count, 4);
	ck_assert_str_eq(values.hosts.items[3], "d");
	ck_assert_int_eq(values.rate.burst, 60);
	ck_assert_str_eq(cfg.origins[0], pl_sprintf(pool, "%s:4", path));
	ck_assert_str_eq(cfg.texts[0], "8");
	ck_assert_str_eq(cfg.origins[9], "default");
	ck_assert_int_eq(cfg.groups_count, 3);
	ck_assert_str_eq(cfg.group_names[0], "local");
	ck_assert_str_eq(cfg.group_names[1], "cloud.2");
	ck_assert_str_eq(upstream_at(0)->url, "http://127.0.0.1:11434/v1");
	ck_assert_int_eq(upstream_at(0)->timeout_ms, 30000);
	ck_assert_str_eq(upstream_at(1)->url, "");
	ck_assert_int_eq(upstream_at(1)->timeout_ms, 30000);
	ck_assert_int_eq(upstream_at(2)->models.count, 2);
	ck_assert_int_eq(upstream_at(2)->timeout_ms, 500);
}
END_TEST

static const struct { const char *text, *why; } bad_files[] = {
	{ "workers = 0\n", "1: workers: 0 is below 1" },
	{ "\n\nworkers = 65", "3: workers: 65 is above 64" },
	{ "workers = two", "1: workers: 'two' is not a whole number" },
	{ "workers = 4 # cores", "1: workers: '4 # cores' is not a whole number" },
	{ "workers = 99999999999999999999", "is not a whole number" },
	{ "workers =", "1: workers: a value is missing" },
	{ "workers", "1: expected `setting = value`" },
	{ "fast = maybe", "1: fast: 'maybe' must be on or off" },
	{ "body_limit = 512", "1: body_limit: 512 is below 1k" },
	{ "body_limit = 2G", "1: body_limit: 2G is above 1G" },
	{ "body_limit = 5x", "'5x' is not a size such as 512, 64k, 4M or 1G" },
	{ "body_limit = 9999999999999999999T", "is not a size" },
	{ "body_limit = 8000000T", "is above 1G" },
	{ "stop_timeout = 10", "'10' is not a time with its unit" },
	{ "stop_timeout = 5m", "'5m' is not a time with its unit" },
	{ "stop_timeout = 50ms", "50ms is below 100ms" },
	{ "stop_timeout = 48h", "2d is above 1d" },
	{ "name =", "name: the value has 0 bytes; it must have 1 to 20" },
	{ "password = sesame", "password: the value has 6 bytes; it must have 8 to 100" },
	{ "log_level = loud", "'loud' must be one of: error, warn, info" },
	{ "rate_login = 5", "must be a rate such as" },
	{ "rate_login = 5000/min", "rate_login: burst 5000 is above 1000" },
	{ "hosts = a, b # c", "a comment must be on a separate line" },
	{ "socket_mode = 0680", "'0680' is not an octal file mode" },
	{ "socket_mode = 77777", "is not an octal file mode" },
	{ "wrokers = 1", "1: wrokers: unknown setting; did you mean workers?" },
	{ "log-level = info", "did you mean log_level?" },
	{ "workers = 1\nfast = on\nworkers = 2", "3: workers: already set on line 1" },
	{ "url = x", "1: url: this setting belongs in a [upstream NAME] section" },
	{ "[upstream a]\nworkers = 1", "2: workers: this setting belongs above the first [upstream] section" },
	{ "[upstream a]\ntimout = 1s", "2: timout: unknown setting; did you mean timeout?" },
	{ "[upstream a]\nurl = x\n# c\nurl = y", "4: url: already set on line 2" },
	{ "[upstream a]\n[upstream b]\n[upstream a]", "3: [upstream a]: a section with this name exists already" },
	{ "[upstream]", "1: [upstream ]: a name has 1 to 32 letters" },
	{ "[upstream a b]", "a name has 1 to 32 letters" },
	{ "[upstreams a]", "1: [upstreams a]: unknown section; write [upstream NAME]" },
	{ "[]", "unknown section" },
	{ "[upstream a] x", "1: a section line must be [upstream NAME] and nothing else" },
	{ "[upstream a", "1: a section line must be" },
	{ "[upstream a]]", "1: a section line must be" },
	{ "[upstream aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]", "a name has 1 to 32" },
	{ "[upstream aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]", "longer than 48" },
	{ "fast = on\n\nname = a\x01" "b\n", "3: the line contains a control character (0x01)" },
	{ "\001section=\n", "control character" },
	{ "name = \xc3\x28", "1: the line is not valid UTF-8" },
	{ "  more\nworkers = 1", "1: expected `setting = value`" },
	{ "= 1", "unknown setting" },
};

START_TEST(bad_file)
{
	ck_assert(!read_text(bad_files[_i].text));
	ck_assert_msg(strstr(cfg.why, bad_files[_i].why) != NULL, "%s: %s", bad_files[_i].text, cfg.why);
	ck_assert_msg(strncmp(cfg.why, path, strlen(path)) == 0, "%s", cfg.why);
	ck_assert_msg(strstr(cfg.why, "sesame") == NULL, "%s", cfg.why);
}
END_TEST

START_TEST(odd_files)
{
	char long_line[9000], big[3000];
	const char *const dirs[] = { "/nonexistent/x.conf", "/" };

	ck_assert(read_text(""));
	ck_assert(!read_bytes("name = a\0b\n", 11));
	ck_assert_ptr_nonnull(strstr(cfg.why, "control character"));
	memset(long_line, 'x', sizeof(long_line));
	ck_assert(!read_bytes(long_line, sizeof(long_line)));
	ck_assert_ptr_nonnull(strstr(cfg.why, ":1: the line is longer than"));
	/* A line longer than inih's default of 200 is read completely. */
	snprintf(big, sizeof(big), "hosts = %01000d\nworkers = 3\n", 7);
	ck_assert_msg(read_text(big), "%s", cfg.why);
	ck_assert_uint_eq(strlen(values.hosts.items[0]), 1000);
	ck_assert_int_eq(values.workers, 3);
	for (size_t i = 0; i < PL_COUNT(dirs); i++) {
		ck_assert(!pl_cfg_read(&cfg, dirs[i], NULL, 0));
		ck_assert_int_eq(strncmp(cfg.why, dirs[i], strlen(dirs[i])), 0);
	}
	ck_assert(!pl_cfg_read(&cfg, "/dev/zero", NULL, 0));
	cfg.schema = &flat;
	ck_assert(!read_text("[upstream a]\n"));
	ck_assert_ptr_nonnull(strstr(cfg.why, "this file has no sections"));
	ck_assert(read_text("workers = 5\n"));
}
END_TEST

START_TEST(overrides)
{
	const char *const good[] = { "workers=4", "workers = 6 ", "upstream.b.url=http://b?x=y", "upstream.a.url=",
		"upstream.v1.2.timeout=1s", "password=" };
	const char *const bad = "password=abc";

	ck_assert_int_eq(pwrite(fd, "[upstream a]\nurl=x\ntimeout=9s\n", 30, 0), 30);
	ck_assert(!pl_cfg_read(&cfg, path, &bad, 1));
	ck_assert_str_eq(cfg.why, "-o: password: the value has 3 bytes; it must have 8 to 100");
	ck_assert_msg(pl_cfg_read(&cfg, path, good, 6), "%s", cfg.why);
	ck_assert_int_eq(values.workers, 6);
	ck_assert_str_eq(cfg.origins[0], "-o");
	ck_assert_str_eq(cfg.texts[0], "6");
	ck_assert_int_eq(cfg.groups_count, 3);
	ck_assert_str_eq(upstream_at(0)->url, "");
	ck_assert_int_eq(upstream_at(0)->timeout_ms, 9000);
	ck_assert_str_eq(cfg.group_names[1], "b");
	ck_assert_str_eq(upstream_at(1)->url, "http://b?x=y");
	ck_assert_str_eq(cfg.group_names[2], "v1.2");
	ck_assert_int_eq(upstream_at(2)->timeout_ms, 1000);
}
END_TEST

START_TEST(bad_overrides)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "workers", "-o: workers: write setting=value" },
		{ "worker=1", "-o: worker: unknown setting; did you mean workers?" },
		{ "workers=0", "-o: workers: 0 is below 1" },
		{ "upstream.url=x", "write upstream.NAME.setting=value" },
		{ "upstream.a b.url=x", "a name has 1 to 32" },
		{ "upstream.a.ulr=x", "-o: ulr: unknown setting; did you mean url?" },
		{ "name=\xff", "not valid UTF-8" },
		{ "name=a\nb", "-o: the line contains a control character (0x0a)" },
		{ "", "write setting=value" },
	};

	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		ck_assert(!pl_cfg_read(&cfg, NULL, &bad[i].text, 1));
		ck_assert_msg(strstr(cfg.why, bad[i].why) != NULL, "%s", cfg.why);
	}
}
END_TEST

/* What is printed reads back as the same value. */
static const struct { const char *name, *in, *out; } texts[] = {
	{ "workers", "007", "7" },
	{ "fast", "TRUE", "on" },
	{ "fast", "0", "off" },
	{ "body_limit", "1024", "1k" },
	{ "body_limit", "1025", "1025" },
	{ "body_limit", "4096K", "4M" },
	{ "body_limit", "1g", "1G" },
	{ "stop_timeout", "500ms", "500ms" },
	{ "stop_timeout", "60s", "1min" },
	{ "stop_timeout", "90 s", "90s" },
	{ "stop_timeout", "24h", "1d" },
	{ "name", "a b", "a b" },
	{ "password", "0123456789", "(secret)" },
	{ "log_level", "WARN", "warn" },
	{ "rate_login", "5/minute", "5/min" },
	{ "rate_login", "60/60s burst 70", "60/min burst 70" },
	{ "rate_login", "10 / 90s", "10/90s" },
	{ "rate_login", "3/10min", "3/10min" },
	{ "rate_login", "100/h", "100/hour" },
	{ "rate_login", "off", "off" },
	{ "hosts", "a,b  c", "a, b, c" },
	{ "hosts", "", "" },
	{ "socket_mode", "600", "0600" },
};

START_TEST(text_back)
{
	const struct pl_setting *setting = pl_cfg_find(&schema, texts[_i].name);
	const char *shown, *override = pl_sprintf(pool, "%s=%s", texts[_i].name, texts[_i].in);

	ck_assert_ptr_nonnull(setting);
	ck_assert_msg(pl_cfg_read(&cfg, NULL, &override, 1), "%s", cfg.why);
	shown = pl_cfg_text(&cfg, setting, pool);
	ck_assert_str_eq(shown, texts[_i].out);
	if (setting->type == PL_SET_SECRET)
		return;
	override = pl_sprintf(pool, "%s=%s", texts[_i].name, shown);
	ck_assert_msg(pl_cfg_read(&cfg, NULL, &override, 1), "%s", cfg.why);
	ck_assert_str_eq(pl_cfg_text(&cfg, setting, pool), shown);
}
END_TEST

START_TEST(find)
{
	ck_assert_ptr_eq(pl_cfg_find(&schema, "hosts"), &settings[8]);
	ck_assert_ptr_null(pl_cfg_find(&schema, "host"));
	ck_assert_ptr_null(pl_cfg_find(&schema, "url"));
}
END_TEST

Suite *suite_cfg(void)
{
	Suite *suite = suite_create("cfg");
	TCase *tc = tcase_create("cfg");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, whole_file);
	tcase_add_loop_test(tc, bad_file, 0, (int)PL_COUNT(bad_files));
	tcase_add_test(tc, odd_files);
	tcase_add_test(tc, overrides);
	tcase_add_test(tc, bad_overrides);
	tcase_add_loop_test(tc, text_back, 0, (int)PL_COUNT(texts));
	tcase_add_test(tc, find);
	suite_add_tcase(suite, tc);
	return suite;
}

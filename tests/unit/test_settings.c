/* SPDX-License-Identifier: ISC */
/*
 * The configuration: its defaults, the rules between settings, the transfer to a child process and back, and what a
 * reload keeps.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/settings.h"

Suite *suite_settings(void);

#define OVERRIDES_MAX 8

static struct config *read_with(const char *const *overrides, char why[512])
{
	int count = 0;

	while (count < OVERRIDES_MAX && overrides[count] != NULL)
		count++;
	why[0] = '\0';
	return config_read(NULL, overrides, count, why);
}

static struct config *must_read(const char *const *overrides)
{
	char why[512];
	struct config *config = read_with(overrides, why);

	ck_assert_msg(config != NULL, "%s", why);
	return config;
}

/* A file in memory; its name is a path in /proc. */
static int memory_file(const char *text, mode_t mode, char path_r[64])
{
	int fd = memfd_create("settings", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	snprintf(path_r, 64, "/proc/%d/fd/%d", (int)getpid(), fd);
	return fd;
}

START_TEST(test_defaults)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *config = must_read(none);

	ck_assert_int_eq(config->s.workers, 2);
	ck_assert_int_eq(config->s.stop_timeout, 10000);
	ck_assert_int_eq(config->s.listen_unix_mode, 0660);
	ck_assert_int_eq(config->s.log_level, 2);
	ck_assert_int_eq(config->s.registration, REGISTRATION_OPEN);
	ck_assert_int_eq(config->s.argon2_memory, 19 << 20);
	ck_assert_int_eq(config->s.rate_send.burst, 50);
	ck_assert_int_eq(config->s.trusted_proxies.count, 3);
	ck_assert_str_eq(config->s.llm_default, "local");
	ck_assert_int_eq(config->upstreams_count, 0);
	ck_assert_ptr_null(config_upstream(config, PL_STR("local")));
	config_release(&config);
	ck_assert_ptr_null(config);
}
END_TEST

START_TEST(test_table_is_sound)
{
	for (size_t i = 0; i < settings_schema.count; i++) {
		const struct pl_setting *row = &settings_schema.settings[i];

		ck_assert_msg(row->text[0] != '\0' && row->section[0] != '\0', "%s has no text", row->name);
		ck_assert_msg((row->type == PL_SET_ENUM) == (row->words != NULL), "%s: words", row->name);
		ck_assert_msg(row->max >= row->min, "%s: bounds", row->name);
		ck_assert_ptr_eq(pl_cfg_find(&settings_schema, row->name), row);
	}
}
END_TEST

static const struct { const char *overrides[OVERRIDES_MAX], *why; } rules[] = {
	{ { "cors_origins=[\"http://localhost:5173\"]" }, "is not an origin" },
	{ { "cors_origins=http://localhost:3000/" }, "is not an origin" },
	{ { "cors_origins=localhost:3000" }, "is not an origin" },
	{ { "trusted_hosts=http://example.org" }, "is not a host name" },
	{ { "trusted_hosts=example.org:8000" }, "is not a host name" },
	{ { "workers=17" }, "-o: workers: 17 is above max_workers (16)" },
	{ { "max_workers=1" }, "default: workers: 2 is above max_workers (1)" },
	{ { "workers=10" }, "default: db_connections: 20 is too low for 10 workers" },
	{ { "workers=10", "db_connections=22" }, NULL },
	{ { "rate_slots=262143" }, "-o: rate_slots: 262143 is not a power of two" },
	{ { "ring_size=3M" }, "-o: ring_size: 3145728 bytes is not a power of two" },
	{ { "ring_size=128k" }, "ring_size: 128k is below 256k" },
	{ { "listen=" }, "-o: listen: 1 to 31 addresses" },
	{ { "listen=example.org:80" }, "-o: listen: example.org:80: has no numeric host" },
	{ { "listen=127.0.0.1:80 127.0.0.1:80" }, "listed twice" },
	{ { "listen=127.0.0.1:0 127.0.0.1:0" }, NULL },
	{ { "metrics_listen=9464" }, "-o: metrics_listen: 9464: is not HOST:PORT" },
	{ { "metrics_listen=" }, NULL },
	{ { "max_content=32k", "max_body=16k" }, "-o: max_body: is below max_content" },
	{ { "max_content=64k", "ws_max_frame=32k" }, "-o: ws_max_frame: is below max_content" },
	{ { "access_token_life=2h", "refresh_token_life=1h" }, "-o: access_token_life: is longer" },
	{ { "public_url=chat.example.org" }, "-o: public_url: chat.example.org must be an http://" },
	{ { "llm_default=openai" }, "-o: llm_default: there is no section [llm openai]" },
	{ { "query_upstream=openai" }, "-o: query_upstream: there is no section [llm openai]" },
	{ { "llm_default=x", "llm.x.url=https://x.test/v1" }, NULL },
	{ { "llm.x.model=m" }, "[llm x]: url: is required" },
	{ { "llm.x.url=ftp://x.test/" }, "[llm x]: url: must be an http:// or https:// address" },
	{ { "llm.x.url=http://x y/v1" }, "[llm x]: url: must be an http:// or https:// address" },
	{ { "llm.local.url=http://x.test/" }, "[llm local]: this name is reserved for" },
	{ { "llm.x.url=http://x.test/", "llm.x.key=a", "llm.x.key_file=/b" }, "[llm x]: key: set key or key_file" },
	{ { "no_such=1" }, "-o: no_such: unknown setting" },
};

START_TEST(test_rules)
{
	char why[512];
	struct config *config = read_with(rules[_i].overrides, why);

	if (rules[_i].why == NULL)
		ck_assert_msg(config != NULL, "refused: %s", why);
	else
		ck_assert_msg(config == NULL && strstr(why, rules[_i].why) != NULL, "said: %s", why);
	config_release(&config);
}
END_TEST

START_TEST(test_file_and_line)
{
	char path[64], why[512], want[128];
	int fd = memory_file("# one\nmax_workers = 4\nworkers = 5\n", 0600, path);

	snprintf(want, sizeof(want), "%s:3: workers: 5 is above max_workers (4)", path);
	ck_assert_ptr_null(config_read(path, NULL, 0, why));
	ck_assert_str_eq(why, want);
	close(fd);
}
END_TEST

static const char *const rich[OVERRIDES_MAX] = {
	"db=host=/run/postgresql password=hunter2", "listen=127.0.0.1:1 [::1]:2 unix:/tmp/x", "rate_send=3/min burst 9",
	"llm.one.url=https://one.test/v1", "llm.one.models=a b c", "llm.two.url=http://two.test", "llm.two.key=sk-2",
	    NULL,
};

START_TEST(test_pack_and_unpack)
{
	struct config *config = must_read(rich), *back;
	struct pl_buf bytes = PL_BUF(NULL), again = PL_BUF(NULL);
	uint64_t tag;
	char why[512];

	pl_keyring_add(config->pool, &config->keys, PL_STR("0123456789abcdef0123456789abcdef"), 7);
	pl_keyring_add(config->pool, &config->keys, PL_STR("1123456789abcdef0123456789abcdef01"), 5);
	config->keys.sign = 1;
	tag = config->keys.tag;
	config_pack(config, &bytes);
	back = config_unpack(pl_buf_str(&bytes), why);
	ck_assert_msg(back != NULL, "%s", why);
	config_release(&config);
	ck_assert_str_eq(back->s.db, "host=/run/postgresql password=hunter2");
	ck_assert_int_eq(back->s.listen.count, 3);
	ck_assert_str_eq(back->s.listen.items[2], "unix:/tmp/x");
	ck_assert_int_eq(back->s.rate_send.burst, 9);
	ck_assert_int_eq(back->upstreams_count, 2);
	ck_assert_str_eq(config_upstream(back, PL_STR("one"))->models.items[1], "b");
	ck_assert_str_eq(config_upstream(back, PL_STR("two"))->key, "sk-2");
	ck_assert_int_eq(config_upstream(back, PL_STR("two"))->include_usage, true);
	ck_assert_int_eq(back->keys.count, 2);
	ck_assert_int_eq(back->keys.sign, 1);
	ck_assert_int_eq(back->keys.made_s[0], 7);
	ck_assert_uint_eq(back->keys.tag, tag);
	ck_assert_uint_eq(pl_keyring_signer(&back->keys)->secret.len, 34);
	config_pack(back, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.ptr, again.ptr, bytes.len);
	config_release(&back);
	pl_buf_fini(&bytes);
	pl_buf_fini(&again);
}
END_TEST

/*
 * Cut anywhere, or with a wrong number anywhere: the result is an error or a configuration, and no read beyond the
 * bytes.
 */
START_TEST(test_unpack_damaged)
{
	struct config *config = must_read(rich), *back;
	struct pl_buf bytes = PL_BUF(NULL);
	char why[512];

	config_pack(config, &bytes);
	config_release(&config);
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_ptr_null(config_unpack(pl_strn(bytes.ptr, len), why));
	for (size_t at = 0; at < bytes.len; at += 3) {
		char old = bytes.ptr[at];

		bytes.ptr[at] = (char)0xff;
		back = config_unpack(pl_buf_str(&bytes), why);
		config_release(&back);
		bytes.ptr[at] = old;
	}
	pl_buf_fini(&bytes);
}
END_TEST

static const struct { int keys, sign; bool good; } signers[] = {
	{ 0, 0, true }, { 0, 1, false }, { 1, 0, true }, { 1, 1, false }, { 2, 1, true }, { 2, 2, false },
};

START_TEST(test_unpack_signer)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *config = must_read(none), *back;
	struct pl_buf bytes = PL_BUF(NULL);
	char why[512];

	for (int i = 0; i < signers[_i].keys; i++)
		pl_keyring_add(config->pool, &config->keys, pl_str(i == 0 ? "0123456789abcdef0123456789abcdef" :
		    "1123456789abcdef0123456789abcdef"), 7);
	config->keys.sign = signers[_i].sign;
	config_pack(config, &bytes);
	back = config_unpack(pl_buf_str(&bytes), why);
	ck_assert_int_eq(back != NULL, signers[_i].good);
	config_release(&back);
	config_release(&config);
	pl_buf_fini(&bytes);
}
END_TEST

static void gather(void *arg, const char *name)
{
	pl_buf_addf(arg, "%s ", name);
}

START_TEST(test_reload_keeps)
{
	const char *before[OVERRIDES_MAX] = { "workers=3", "db=dbname=a", "listen=127.0.0.1:1", "server_name=old",
	    NULL };
	const char *after[OVERRIDES_MAX] = { "workers=4", "db=dbname=b", "listen=127.0.0.1:1 127.0.0.1:2",
	    "server_name=new",
	    "rate_send=1/s", NULL };
	struct config *old = must_read(before), *fresh = must_read(after);
	struct pl_buf names = PL_BUF(NULL);

	config_keep_restart_only(fresh, old, gather, &names);
	config_release(&old);
	ck_assert_str_eq(names.ptr, "listen workers db ");
	ck_assert_int_eq(fresh->s.workers, 3);
	ck_assert_str_eq(fresh->s.db, "dbname=a");
	ck_assert_int_eq(fresh->s.listen.count, 1);
	ck_assert_str_eq(fresh->s.server_name, "new");
	ck_assert_int_eq(fresh->s.rate_send.count, 1);
	config_release(&fresh);
	pl_buf_fini(&names);
}
END_TEST

/* The key that signed continues to sign, wherever it is in the new ring; without it, the first one signs. */
static const struct { const char *old, *fresh; int sign; } rings[] = {
	{ "", "a", 0 }, { "a", "a", 0 }, { "a", "ba", 1 }, { "ba", "cba", 1 }, { "a", "cba", 2 }, { "a", "b", 0 },
	{ "ba", "a", 0 },
};

static void add_keys(struct config *config, const char *letters)
{
	char secret[33] = "0123456789abcdef0123456789abcdef";

	for (; *letters != '\0'; letters++) {
		secret[0] = *letters;
		pl_keyring_add(config->pool, &config->keys, pl_str(secret), 0);
	}
}

START_TEST(test_reload_keeps_the_signer)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *old = must_read(none), *fresh = must_read(none);
	struct pl_buf names = PL_BUF(NULL);

	add_keys(old, rings[_i].old);
	add_keys(fresh, rings[_i].fresh);
	config_keep_restart_only(fresh, old, gather, &names);
	ck_assert_int_eq(fresh->keys.sign, rings[_i].sign);
	ck_assert_ptr_null(names.ptr);
	config_changes(fresh, old, gather, &names);
	if (strcmp(rings[_i].old, rings[_i].fresh) != 0)
		ck_assert_str_eq(names.ptr, "key_file ");
	else
		ck_assert_ptr_null(names.ptr);
	config_release(&old);
	config_release(&fresh);
	pl_buf_fini(&names);
}
END_TEST

START_TEST(test_reload_keeps_seals)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *old = must_read(none), *fresh = must_read(none);
	struct pl_buf names = PL_BUF(NULL);

	pl_seal_ring_derive(&old->seal_ring, "one", 3);
	pl_seal_ring_derive(&fresh->seal_ring, "two", 3);
	config_keep_restart_only(fresh, old, gather, &names);
	ck_assert_str_eq(names.ptr, "seal_keys ");
	ck_assert_mem_eq(&fresh->seal_ring, &old->seal_ring, sizeof(old->seal_ring));
	config_release(&old);
	config_release(&fresh);
	pl_buf_fini(&names);
}
END_TEST

static const struct { const char *before[4], *after[4], *names; } sections[] = {
	{ { "oidc.main.label=a" }, { "oidc.main.label=a" }, NULL },
	{ { "oidc.main.label=a" }, { "oidc.main.label=b" }, "oidc main " },
	{ { "oidc.main.client_secret=a" }, { "oidc.main.client_secret=b" }, "oidc main " },
	{ { "llm.one.key=a" }, { "llm.one.key=b" }, "llm one " },
	{ { "llm.one.key=a" }, { NULL }, "llm one " },
	{ { NULL }, { "oidc.main.label=a", "llm.one.key=a" }, "llm one oidc main " },
	{ { "llm.one.key=a", "llm.two.key=b" }, { "llm.two.key=b", "llm.one.key=a" }, NULL },
	{ { "llm.one.key=a", "llm.two.key=b" }, { "llm.two.key=c", "server_name=x" }, "server_name llm two llm one " },
};

static struct config *with_sections(const char *const *wanted)
{
	const char *all[OVERRIDES_MAX] = { "public_url=https://chat.test" };
	int n = 1;

	for (int i = 0; i < 4 && wanted[i] != NULL; i++) {
		if (strncmp(wanted[i], "oidc.", 5) == 0) {
			all[n++] = "oidc.main.issuer=https://id.test";
			all[n++] = "oidc.main.client_id=parlour";
		}
		if (strncmp(wanted[i], "llm.one.", 8) == 0)
			all[n++] = "llm.one.url=https://one.test/v1";
		if (strncmp(wanted[i], "llm.two.", 8) == 0)
			all[n++] = "llm.two.url=https://two.test/v1";
		all[n++] = wanted[i];
	}
	return must_read(all);
}

START_TEST(test_changes_of_sections)
{
	struct config *old = with_sections(sections[_i].before), *fresh = with_sections(sections[_i].after);
	struct pl_buf names = PL_BUF(NULL);

	config_changes(fresh, old, gather, &names);
	ck_assert_pstr_eq(names.ptr, sections[_i].names);
	config_release(&old);
	config_release(&fresh);
	pl_buf_fini(&names);
}
END_TEST

START_TEST(test_holds)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *config = must_read(none), *task = config_hold(config);

	config_release(&config);
	ck_assert_int_eq(task->s.workers, 2);
	config_release(&task);
}
END_TEST

START_TEST(test_a_hold_ends_with_its_pool)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *config = must_read(none), *mine = config_hold(config);
	struct pl_pool *pool = pl_pool_new(0);
	const struct config *kept = config_keep(pool, config);

	config_release(&config);
	ck_assert_ptr_eq(kept, mine);
	ck_assert_int_eq(mine->holds, 2);
	pl_pool_free(&pool);
	ck_assert_int_eq(mine->holds, 1);
	config_release(&mine);
}
END_TEST

static const struct { const char *text; mode_t mode; const char *key, *why; } key_files[] = {
	{ "sk-test-1\n", 0600, "sk-test-1", NULL },
	{ "sk-test-2", 0440, "sk-test-2", NULL },
	{ "sk-test-3\r\n\n", 0400, "sk-test-3", NULL },
	{ "sk-test-4\n", 0644, NULL, "chmod 0600" },
	{ "sk-test-5\n", 0620, NULL, "chmod 0600" },
	{ "\n", 0600, NULL, "is empty" },
	{ "two words\n", 0600, NULL, "must contain one key" },
};

START_TEST(test_key_files)
{
	char key_path[64], up_path[64], key[96], up[96], why[512];
	int key_fd = memory_file("Zm9yIHVuaXQgdGVzdHMgb25seSwgNDggYnl0ZXMgbG9uZyE=\n", 0600, key_path);
	int up_fd = memory_file(key_files[_i].text, key_files[_i].mode, up_path);
	const char *overrides[OVERRIDES_MAX] = { key, "llm.x.url=http://x.test/", up, NULL };
	struct config *config;
	bool good;

	snprintf(key, sizeof(key), "key_file=%s", key_path);
	snprintf(up, sizeof(up), "llm.x.key_file=%s", up_path);
	config = must_read(overrides);
	good = config_secrets(config, why);
	if (key_files[_i].key != NULL) {
		ck_assert_msg(good, "%s", why);
		ck_assert_str_eq(config->upstreams[0].key, key_files[_i].key);
		ck_assert_uint_ge(config->keys.keys[0].secret.len, 32);
	} else {
		ck_assert_msg(!good && strstr(why, key_files[_i].why) != NULL, "said: %s", why);
	}
	config_release(&config);
	close(key_fd);
	close(up_fd);
}
END_TEST

START_TEST(test_no_key_file)
{
	const char *none[OVERRIDES_MAX] = { NULL };
	struct config *config = must_read(none);
	char why[512];

	ck_assert(!config_secrets(config, why));
	ck_assert_msg(strstr(why, "default: key_file: is not set") != NULL, "said: %s", why);
	config_release(&config);
}
END_TEST

Suite *suite_settings(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("settings");

	tcase_add_test(tcase, test_defaults);
	tcase_add_test(tcase, test_table_is_sound);
	tcase_add_loop_test(tcase, test_rules, 0, (int)PL_COUNT(rules));
	tcase_add_test(tcase, test_file_and_line);
	tcase_add_test(tcase, test_pack_and_unpack);
	tcase_add_test(tcase, test_unpack_damaged);
	tcase_add_loop_test(tcase, test_unpack_signer, 0, (int)PL_COUNT(signers));
	tcase_add_loop_test(tcase, test_changes_of_sections, 0, (int)PL_COUNT(sections));
	tcase_add_test(tcase, test_reload_keeps);
	tcase_add_loop_test(tcase, test_reload_keeps_the_signer, 0, (int)PL_COUNT(rings));
	tcase_add_test(tcase, test_reload_keeps_seals);
	tcase_add_test(tcase, test_holds);
	tcase_add_test(tcase, test_a_hold_ends_with_its_pool);
	tcase_add_loop_test(tcase, test_key_files, 0, (int)PL_COUNT(key_files));
	tcase_add_test(tcase, test_no_key_file);
	suite_add_tcase(suite, tcase);
	return suite;
}

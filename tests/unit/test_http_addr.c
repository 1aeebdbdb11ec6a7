/* SPDX-License-Identifier: ISC */
/*
 * Addresses, networks, X-Forwarded-For and Host names.
 */
#include <check.h>

#include "net/http_addr.h"

Suite *suite_http_addr(void);

static const struct { const char *text, *shown; } addresses[] = {
	{ "192.0.2.1", "192.0.2.1" }, { "192.0.2.1:80", "192.0.2.1" }, { "::1", "::1" }, { "[::1]", "::1" },
	{ "[2001:DB8::1]:443", "2001:db8::1" }, { "::ffff:192.0.2.1", "192.0.2.1" }, { "", NULL }, { "unknown", NULL },
	{ "192.0.2", NULL }, { "192.0.2.256", NULL }, { "192.0.2.1:", NULL }, { "192.0.2.1:x", NULL }, { "[::1", NULL },
	{ "[192.0.2.1]", NULL }, { "[::1]x", NULL }, { "_secret", NULL }, { "::1%eth0", NULL },
};

START_TEST(test_addresses)
{
	struct http_ip ip;
	char shown[HTTP_ADDR_TEXT];

	for (size_t i = 0; i < PL_COUNT(addresses); i++) {
		if (!http_ip_parse(pl_str(addresses[i].text), &ip)) {
			ck_assert_msg(addresses[i].shown == NULL, "%s", addresses[i].text);
			continue;
		}
		http_ip_text(&ip, shown);
		ck_assert_ptr_nonnull(addresses[i].shown);
		ck_assert_str_eq(shown, addresses[i].shown);
	}
}
END_TEST

static const struct { const char *net, *ip; bool parses, has; } nets[] = {
	{ "10.0.0.0/8", "10.1.2.3", true, true }, { "10.0.0.0/8", "11.1.2.3", true, false },
	{ "10.0.0.1", "10.0.0.1", true, true },
	{ "10.0.0.1", "10.0.0.2", true, false }, { "0.0.0.0/0", "203.0.113.1", true, true },
	{ "0.0.0.0/0", "2001:db8::1", true, false },
	{ "::/0", "192.0.2.1", true, true }, { "2001:db8::/33", "2001:db8:7fff::1", true, true },
	{ "2001:db8::/33", "2001:db8:8000::1", true, false }, { "::1", "::1", true, true },
	{ "192.0.2.77/31", "192.0.2.76", true, true },
	{ "10.0.0.0/33", "10.0.0.1", false, false }, { "10.0.0.0/", "10.0.0.1", false, false },
	{ "10.0.0.0/-1", "10.0.0.1", false, false },
	{ "::/129", "::1", false, false }, { "x/8", "::1", false, false }, { "", "::1", false, false },
};

START_TEST(test_nets)
{
	for (size_t i = 0; i < PL_COUNT(nets); i++) {
		struct http_net net;
		struct http_ip ip;
		bool parses = http_net_parse(pl_str(nets[i].net), &net);

		ck_assert(http_ip_parse(pl_str(nets[i].ip), &ip));
		ck_assert_msg(parses == nets[i].parses, "%s", nets[i].net);
		ck_assert_msg(!parses || http_net_has(&net, &ip) == nets[i].has, "%s %s", nets[i].net, nets[i].ip);
	}
}
END_TEST

static const struct { const char *header, *client; } forwarded[] = {
	{ "", "peer" }, { "203.0.113.9", "203.0.113.9" }, { "203.0.113.9, 10.0.0.2", "203.0.113.9" },
	{ "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9" },	/* everything left of it is forged */
	{ "10.0.0.9, 10.0.0.2", "10.0.0.9" }, { "garbage, 203.0.113.9", "203.0.113.9" },
	{ "203.0.113.9, garbage", "peer" },
	{ "203.0.113.9, garbage, 10.0.0.2", "10.0.0.2" }, { ",", "peer" }, { "[2001:db8::5]:99", "2001:db8::5" },
	{ "203.0.113.9:1234 ,10.0.0.2", "203.0.113.9" },
};

START_TEST(test_forwarded)
{
	static const char *const words[] = { "10.0.0.0/8", "unix", "nonsense" };
	const struct pl_list list = { words, 3 };
	struct pl_pool *pool = pl_pool_new(0);
	struct http_nets trusted;

	ck_assert_int_eq(http_nets_make(&trusted, pool, &list), 1);
	ck_assert(trusted.has_unix && trusted.count == 1);
	for (size_t i = 0; i < PL_COUNT(forwarded); i++) {
		char out[HTTP_ADDR_TEXT] = "peer";

		http_forwarded_client(&trusted, pl_str(forwarded[i].header), out);
		ck_assert_str_eq(out, forwarded[i].client);
	}
	pl_pool_free(&pool);
}
END_TEST

static const struct { const char *host; bool allowed; } hosts[] = {
	{ "chat.example.org", true }, { "CHAT.example.org:8000", true }, { "chat.example.org.", true },
	{ "a.sub.example.org", true },
	{ "sub.example.org", false }, { "xchat.example.org", false }, { "chat.example.org.evil", false }, { "", false },
	{ "[::1]:80", true }, { "[::2]:80", false }, { "xsub.example.org", false },
};

START_TEST(test_hosts)
{
	static const char *const words[] = { "chat.example.org", "*.sub.example.org", "[::1]" }, *const any[] = { "*" };
	const struct pl_list list = { words, 3 }, all = { any, 1 };

	for (size_t i = 0; i < PL_COUNT(hosts); i++)
		ck_assert_msg(http_host_allowed(&list, pl_str(hosts[i].host)) == hosts[i].allowed, "%s", hosts[i].host);
	ck_assert(http_host_allowed(&all, pl_str("whatever")));
	ck_assert(http_host_allowed(&all, PL_STR_NONE));
}
END_TEST

Suite *suite_http_addr(void)
{
	Suite *suite = suite_create("http_addr");
	TCase *tc = tcase_create("http_addr");

	tcase_add_test(tc, test_addresses);
	tcase_add_test(tc, test_nets);
	tcase_add_test(tc, test_forwarded);
	tcase_add_test(tc, test_hosts);
	suite_add_tcase(suite, tc);
	return suite;
}

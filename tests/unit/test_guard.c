/* SPDX-License-Identifier: ISC */
/*
 * The state machine of the guard: each case whole and byte by byte, with the same result.
 */
#include <check.h>
#include <stdio.h>

#include "net/guard.h"

Suite *suite_guard(void);

#define HOST "Host: a\r\n"
#define GET(fields) "GET / HTTP/1.1\r\n" HOST fields "\r\n"
#define POST(fields, body) "POST / HTTP/1.1\r\n" HOST fields "\r\n" body
#define CHUNKED(body) POST("Transfer-Encoding: chunked\r\n", body)

static const struct guard_limits limits = { .header_bytes = 512, .body_bytes = 1000 };

static const struct {
	const char *name, *bytes;
	int status;			/* 0: not refused */
	enum guard_phase phase;
	uint32_t messages;
} cases[] = {
	{ "nothing", "", 0, GUARD_START, 0 },
	{ "one", GET(""), 0, GUARD_START, 1 },
	{ "two", GET("") GET(""), 0, GUARD_START, 2 },
	{ "empty lines", "\r\n\r\n" GET("") "\r\n", 0, GUARD_START, 1 },
	{ "half line", "GET /", 0, GUARD_HEADER, 0 },
	{ "half header", "GET / HTTP/1.1\r\nHost: a\r\n", 0, GUARD_HEADER, 0 },
	{ "half body", POST("Content-Length: 3\r\n", "ab"), 0, GUARD_BODY, 0 },
	{ "body", POST("Content-Length: 3\r\n", "abc"), 0, GUARD_START, 1 },
	{ "body and more", POST("Content-Length: 3\r\n", "abc") GET(""), 0, GUARD_START, 2 },
	{ "chunks", CHUNKED("3\r\nabc\r\n0\r\n\r\n"), 0, GUARD_START, 1 },
	{ "half chunk", CHUNKED("3\r\nab"), 0, GUARD_BODY, 0 },
	{ "extension", CHUNKED("3;x=\"y\"\r\nabc\r\n0\r\n\r\n"), 0, GUARD_START, 1 },
	{ "trailer", CHUNKED("0\r\nX-T: 1\r\n\r\n"), 0, GUARD_START, 1 },
	{ "upgrade", GET("Connection: upgrade\r\nUpgrade: websocket\r\n") "\x81\x80", 0, GUARD_RAW, 1 },
	{ "upgrade in a list", GET("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"), 0, GUARD_RAW, 1 },
	{ "upgrade in a list with more", GET("Connection: upgrade\r\nUpgrade: websocket, h2c\r\n"), 0, GUARD_RAW, 1 },
	{ "upgrade last in a list", GET("Connection: x,UPGRADE\r\nUpgrade: h2c ,WEBSOCKET\r\n"), 0, GUARD_RAW, 1 },
	{ "upgrade in two lines", GET("Connection: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n"),
	  0, GUARD_RAW, 1 },
	{ "upgrade to a longer word", GET("Connection: upgrade\r\nUpgrade: websockets\r\n"), 0, GUARD_START, 1 },
	{ "upgrade in HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 0,
	  GUARD_RAW, 1 },
	{ "upgrade by POST", POST("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", ""), 0,
	  GUARD_START, 1 },
	{ "upgrade to h2c", GET("Connection: upgrade\r\nUpgrade: h2c\r\n"), 0, GUARD_START, 1 },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0, GUARD_START, 1 },
	{ "absolute target", "GET http://a/b HTTP/1.1\r\n" HOST "\r\n", 0, GUARD_START, 1 },
	{ "star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0, GUARD_START, 1 },
	{ "star with GET", "GET * HTTP/1.1\r\n" HOST "\r\n", 400, GUARD_REFUSED, 0 },
	{ "bare LF", "GET / HTTP/1.1\n", 400, GUARD_REFUSED, 0 },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", 400, GUARD_REFUSED, 0 },
	{ "two Hosts", GET(HOST), 400, GUARD_REFUSED, 0 },
	{ "fold", GET("X: a\r\n b\r\n"), 400, GUARD_REFUSED, 0 },
	{ "blank before colon", GET("X : a\r\n"), 400, GUARD_REFUSED, 0 },
	{ "control in value", GET("X: \x01\r\n"), 400, GUARD_REFUSED, 0 },
	{ "method unknown", "BREW / HTTP/1.1\r\n", 501, GUARD_REFUSED, 0 },
	{ "version 1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 0, GUARD_START, 1 },
	{ "version 1.9 and chunks",
	  "POST / HTTP/1.9\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0, GUARD_START, 1 },
	{ "version 1.20", "GET / HTTP/1.20\r\n", 400, GUARD_REFUSED, 0 },
	{ "version 1.2 without Host", "GET / HTTP/1.2\r\n\r\n", 400, GUARD_REFUSED, 0 },
	{ "version unknown", "GET / HTTP/2.0\r\n", 505, GUARD_REFUSED, 0 },
	{ "version malformed", "GET / HTTP/1.10\r\n", 400, GUARD_REFUSED, 0 },
	{ "length not a number", POST("Content-Length: +3\r\n", "abc"), 400, GUARD_REFUSED, 0 },
	{ "length twice", POST("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400, GUARD_REFUSED, 0 },
	{ "length over the limit", POST("Content-Length: 1001\r\n", ""), 413, GUARD_REFUSED, 0 },
	{ "length and chunks", POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", ""), 400, GUARD_REFUSED, 0 },
	{ "body with GET", GET("Content-Length: 3\r\n"), 400, GUARD_REFUSED, 0 },
	{ "no length", POST("", ""), 0, GUARD_START, 1 },
	{ "no length, Connection: upgrade", POST("Connection: upgrade\r\n", "") GET(""), 0, GUARD_START, 2 },
	{ "no length, two Connections", POST("Connection: x\r\nConnection: close\r\n", ""), 0, GUARD_START, 1 },
	{ "no length, twice", POST("Connection: x\r\n", "") POST("Connection: keep-alive\r\n", ""), 0, GUARD_START, 2 },
	{ "no length is no body", POST("Connection: x\r\n", "\x01"), 400, GUARD_REFUSED, 1 },
	{ "unknown coding", POST("Transfer-Encoding: gzip, chunked\r\n", ""), 501, GUARD_REFUSED, 0 },
	{ "chunked not last", POST("Transfer-Encoding: chunked, gzip\r\n", ""), 400, GUARD_REFUSED, 0 },
	{ "chunks over the limit", CHUNKED("3e9\r\n"), 413, GUARD_REFUSED, 0 },
	{ "chunk size malformed", CHUNKED("0x3\r\n"), 400, GUARD_REFUSED, 0 },
	{ "chunk without end", CHUNKED("3\r\nabcd"), 400, GUARD_REFUSED, 0 },
	{ "framing trailer", CHUNKED("0\r\nContent-Length: 3\r\n\r\n"), 400, GUARD_REFUSED, 0 },
	{ "expectation", POST("Expect: x\r\nContent-Length: 3\r\n", ""), 417, GUARD_REFUSED, 0 },
	{ "good before bad", GET("") "\x01", 400, GUARD_REFUSED, 1 },
};

static void run(int i, size_t piece)
{
	struct guard guard = { .state = 0 };
	size_t len = strlen(cases[i].bytes);
	char copy[2048];
	size_t at = 0;

	ck_assert_uint_lt(len, sizeof(copy));
	memcpy(copy, cases[i].bytes, len);
	while (at < len && guard.phase != GUARD_REFUSED) {
		at += guard_feed(&guard, &limits, copy + at, len - at < piece ? len - at : piece);
		if (guard.add_length)
			ck_assert_int_eq(memcmp(copy + at - 4, "\r\n\r\n", 4), 0);
	}
	ck_assert_msg(guard.status == cases[i].status, "%s: status %d", cases[i].name, guard.status);
	ck_assert_msg(guard.phase == cases[i].phase, "%s: phase %d", cases[i].name, guard.phase);
	ck_assert_msg(guard.messages == cases[i].messages, "%s: messages %u", cases[i].name, guard.messages);
}

START_TEST(test_cases)
{
	run(_i, 4096);
	run(_i, 1);
	run(_i, 3);
}
END_TEST

START_TEST(test_disarms_in_place)
{
	char bytes[] = CHUNKED("3;x\r\nabc\r\n0;y\r\nX-T: 1\r\n\r\n");
	struct guard guard = { .state = 0 };

	ck_assert_uint_eq(guard_feed(&guard, &limits, bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
	ck_assert_ptr_nonnull(strstr(bytes, "3 x\r\nabc\r\n0 y\r\n!!!: 1\r\n\r\n"));
}
END_TEST

START_TEST(test_later_version_becomes_1_1)
{
	char bytes[] = "GET /HTTP/1.2 HTTP/1.3\r\n" HOST "X: HTTP/1.4\r\n\r\n";
	struct guard guard = { .state = 0 };

	ck_assert_uint_eq(guard_feed(&guard, &limits, bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
	ck_assert_str_eq(bytes, "GET /HTTP/1.2 HTTP/1.1\r\n" HOST "X: HTTP/1.4\r\n\r\n");
}
END_TEST

static const struct { const char *fields; bool add; } lengths[] = {
	{ "", false }, { "Connection: close\r\n", true }, { "Connection: upgrade\r\n", true },
	{ "Connection:\r\n", true },
	{ "Connection: x\r\nContent-Length: 0\r\n", false }, { "Connection: x\r\nContent-Length: 5\r\n", false },
	{ "Connection: x\r\nTransfer-Encoding: chunked\r\n", false },
};

START_TEST(test_length_is_added_only_where_there_is_none)
{
	for (size_t i = 0; i < PL_COUNT(lengths); i++) {
		struct guard guard = { .state = 0 };
		char bytes[256];
		int len = snprintf(bytes, sizeof(bytes), "PUT / HTTP/1.1\r\n" HOST "%s\r\n", lengths[i].fields);

		ck_assert_uint_eq(guard_feed(&guard, &limits, bytes, (size_t)len), (size_t)len);
		ck_assert_msg(guard.add_length == lengths[i].add, "%s", lengths[i].fields);
	}
}
END_TEST

static const struct { const char *list, *word; bool there; } lists[] = {
	{ "websocket", "websocket", true }, { "WebSocket", "websocket", true }, { "websocket, h2c", "websocket", true },
	{ "h2c,\twebsocket", "websocket", true }, { " a , b ", "b", true }, { ",,b", "b", true }, { "", "b", false },
	{ "bb", "b", false }, { "a b", "b", false }, { "websocket/13", "websocket", false },
};

START_TEST(test_lists)
{
	for (size_t i = 0; i < PL_COUNT(lists); i++)
		ck_assert_msg(guard_list_has(pl_str(lists[i].list), pl_str(lists[i].word)) == lists[i].there, "%s",
		    lists[i].list);
}
END_TEST

START_TEST(test_header_limit)
{
	struct guard guard = { .state = 0 };
	char bytes[1024];
	int len = snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\n" HOST "X: %0600d\r\n\r\n", 0);

	ck_assert_uint_le(guard_feed(&guard, &limits, bytes, (size_t)len), (size_t)len);
	ck_assert_int_eq(guard.phase, GUARD_REFUSED);
	ck_assert_int_eq(guard.status, 431);
	ck_assert_int_eq(guard.code, PL_E_HEADERS_LARGE);
}
END_TEST

static const struct { const char *host; bool good; } hosts[] = {
	{ "a", true }, { "a.b-c_d~e", true }, { "a:80", true }, { "a:", true }, { "192.0.2.1:8080", true },
	{ "[::1]", true },
	{ "[2001:db8::1]:443", true }, { "", false }, { ":80", false }, { "a:b", false }, { "a:65536", false },
	{ "a b", false },
	{ "a/b", false }, { "u@a", false }, { "[::1", false }, { "[]", false }, { "[zz]", false }, { "[::1]a", false },
	{ "a%41", false },
};

START_TEST(test_hosts)
{
	for (size_t i = 0; i < PL_COUNT(hosts); i++)
		ck_assert_msg(guard_host_ok(pl_str(hosts[i].host)) == hosts[i].good, "%s", hosts[i].host);
}
END_TEST

Suite *suite_guard(void)
{
	Suite *suite = suite_create("guard");
	TCase *tc = tcase_create("guard");

	tcase_add_loop_test(tc, test_cases, 0, (int)PL_COUNT(cases));
	tcase_add_test(tc, test_disarms_in_place);
	tcase_add_test(tc, test_later_version_becomes_1_1);
	tcase_add_test(tc, test_length_is_added_only_where_there_is_none);
	tcase_add_test(tc, test_lists);
	tcase_add_test(tc, test_header_limit);
	tcase_add_test(tc, test_hosts);
	suite_add_tcase(suite, tc);
	return suite;
}

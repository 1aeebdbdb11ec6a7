/* SPDX-License-Identifier: ISC */
/*
 * Which origins may read replies.
 */
#include <check.h>

#include "net/http_cors.h"

Suite *suite_cors(void);

static const char *const listed[] = { "https://app.example.org", "http://localhost:3000" }, *const any[] = { "*" };

static const struct {
	bool any;
	const char *origin, *host, *echo;	/* origin NULL: none sent; echo NULL: not allowed */
	bool tls, credentials;
} cases[] = {
	{ false, NULL, "a", NULL, false, false },
	{ false, "https://app.example.org", "a", "https://app.example.org", false, true },
	{ false, "http://localhost:3000", "a", "http://localhost:3000", false, true },
	{ false, "http://localhost:3001", "a", NULL, false, false },
	{ false, "http://app.example.org", "a", NULL, false, false },
	{ false, "https://app.example.org.evil", "a", NULL, false, false },
	{ false, "https://evil-app.example.org", "a", NULL, false, false },
	{ false, "https://app.example.org/", "a", NULL, false, false },
	{ false, "null", "a", NULL, false, false },
	{ false, "", "a", NULL, false, false },
	{ false, "https://public.example.org", "internal", "https://public.example.org", false, true },
	{ false, "http://a:8000", "a:8000", "http://a:8000", false, true },
	{ false, "http://a:8001", "a:8000", NULL, false, false },
	{ false, "http://a", "a", NULL, true, false },
	{ false, "https://a", "a", "https://a", true, true },
	{ false, "https://app.example.org https://x", "a", NULL, false, false },
	{ true, "https://anybody.example", "a", "*", false, false },
	{ true, "null", "a", "*", false, false },
	{ true, "http://a", "a", "http://a", false, true },
};

START_TEST(test_decisions)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		const struct settings s = { .public_url = "https://public.example.org/chat", .cors_credentials = true,
			.cors_origins = { cases[i].any ? any : listed, cases[i].any ? 1 : 2 } };
		struct http_cors cors = http_cors_decide(&s, pool, pl_str(cases[i].origin), pl_str(cases[i].host),
		    cases[i].tls);

		ck_assert(cors.sent == (cases[i].origin != NULL));
		ck_assert_msg(cors.allowed == (cases[i].echo != NULL), "case %zu", i);
		ck_assert_msg(cors.credentials == cases[i].credentials, "case %zu", i);
		ck_assert_pstr_eq(cors.echo, cases[i].echo);
	}
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_headers)
{
	const struct settings s = { .cors_credentials = true };
	struct http_cors cors = { .sent = true, .allowed = true, .credentials = true, .echo = "https://a" };
	struct pl_buf out = { .len = 0 };

	http_cors_headers(&cors, &s, &out);
	ck_assert_ptr_nonnull(strstr(out.ptr, "Access-Control-Allow-Origin: https://a\r\n"));
	ck_assert_ptr_nonnull(strstr(out.ptr, "Access-Control-Allow-Credentials: true\r\n"));
	ck_assert_ptr_nonnull(strstr(out.ptr, "Vary: Origin\r\n"));
	ck_assert_ptr_nonnull(strstr(out.ptr, "\r\nAccess-Control-Expose-Headers: Allow, Content-Disposition, "));
	ck_assert_ptr_nonnull(strstr(out.ptr, ", X-Request-Id, X-Total-Count\r\n"));
	ck_assert_ptr_nonnull(strstr(out.ptr, ", Idempotent-Replayed, "));
	ck_assert_ptr_null(strstr(out.ptr, "Cache-Control"));
	pl_buf_reset(&out);
	cors = (struct http_cors){ .sent = true };
	http_cors_headers(&cors, &s, &out);
	ck_assert_str_eq(out.ptr, "Vary: Origin\r\n");
	pl_buf_fini(&out);
}
END_TEST

START_TEST(test_names)
{
	ck_assert(http_cors_names_ok(pl_str("authorization, content-type,x-a_b")));
	ck_assert(!http_cors_names_ok(pl_str("")));
	ck_assert(!http_cors_names_ok(pl_str("a\r\nb")));
	ck_assert(!http_cors_names_ok(pl_str("a:b")));
	ck_assert(!http_cors_names_ok(pl_str("\xc3\xa4")));
}
END_TEST

Suite *suite_cors(void)
{
	Suite *suite = suite_create("cors");
	TCase *tc = tcase_create("cors");

	tcase_add_test(tc, test_decisions);
	tcase_add_test(tc, test_headers);
	tcase_add_test(tc, test_names);
	suite_add_tcase(suite, tc);
	return suite;
}

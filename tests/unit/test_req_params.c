/* SPDX-License-Identifier: ISC */
/*
 * Path segments, query and form parameters, and the target in the form for logs.
 */
#include <check.h>

#include "net/http_int.h"

Suite *suite_req_params(void);

static struct pl_task *task;
static struct req *req;

static void setup(void)
{
	task = pl_task_new(INT64_MAX);
	req = pl_alloc(task->pool, sizeof(*req));
	req->task = task;
}

static void teardown(void)
{
	pl_task_release(&task);
}

static const struct { const char *path; int segments; const char *parts[4]; } paths[] = {
	{ "/", 0, { NULL } }, { "/a", 1, { "a" } }, { "/a/b/", 2, { "a", "b" } }, { "/a//", 1, { "a" } },
	{ "/a//b", 3, { "a", "", "b" } },
	{ "/a%20b", 1, { "a b" } }, { "/a+b", 1, { "a+b" } }, { "/%C3%A4", 1, { "\xc3\xa4" } },
	{ "/...", 1, { "..." } }, { "/a%25b", 1, { "a%b" } },
	{ "/.", -1, { NULL } }, { "/..", -1, { NULL } }, { "/a/../b", -1, { NULL } }, { "/%2e%2e", -1, { NULL } },
	{ "/a%2Fb", -1, { NULL } },
	{ "/a%5Cb", -1, { NULL } }, { "/a%00b", -1, { NULL } }, { "/%0a", -1, { NULL } }, { "/%c0%af", -1, { NULL } },
	{ "/%", -1, { NULL } },
	{ "/%4", -1, { NULL } }, { "/%zz", -1, { NULL } }, { "/\xe4", -1, { NULL } }, { "", -1, { NULL } },
	{ "*", -1, { NULL } },
	{ "/1/2/3/4/5/6/7/8/9/a/b/c", 12, { "1", "2", "3", "4" } }, { "/1/2/3/4/5/6/7/8/9/a/b/c/d", -1, { NULL } },
	{ "/1/2/3/4/5/6/7/8/9/a/b/c/", 12, { "1" } },
};

START_TEST(test_paths)
{
	for (size_t i = 0; i < PL_COUNT(paths); i++) {
		req->path = pl_str(paths[i].path);
		req_path_split(req);
		ck_assert_msg(req->segments == paths[i].segments, "%s: %d", paths[i].path, req->segments);
		for (int n = 0; n < req->segments && n < 4 && paths[i].parts[n] != NULL; n++)
			ck_assert_msg(pl_str_is(req->segment[n], paths[i].parts[n]), "%s: part %d", paths[i].path, n);
	}
}
END_TEST

static const struct { const char *text, *name, *value; bool bad; } params[] = {
	{ "a=1&b=2", "a", "1", false }, { "a=1&b=2", "b", "2", false }, { "a=1&b=2", "c", NULL, false },
	{ "a=1&a=2", "a", "1", false },
	{ "a", "a", "", false }, { "a=", "a", "", false }, { "a=b=c", "a", "b=c", false },
	{ "a=%26+%3D", "a", "& =", false },
	{ "%61=1", "a", "1", false }, { "a=%ff", "a", NULL, true }, { "a=%00", "a", NULL, true },
	{ "a=%4", "a", NULL, true },
	{ "a=\xc3\xa4", "a", "\xc3\xa4", false }, { "%zz=1&a=2", "a", "2", false }, { "&&a=1", "a", "1", false },
	{ "", "a", NULL, false },
	{ "ab=1", "a", NULL, false }, { "a=%ed%a0%80", "a", NULL, true },
};

START_TEST(test_params)
{
	for (size_t i = 0; i < PL_COUNT(params); i++) {
		bool bad = true;
		struct pl_str value;

		req->query = pl_str(params[i].text);
		req->body = req->query;
		value = req_query(req, params[i].name, &bad);
		ck_assert_msg(bad == params[i].bad, "%s", params[i].text);
		ck_assert_msg((value.ptr == NULL) == (params[i].value == NULL), "%s", params[i].text);
		ck_assert_msg(value.ptr == NULL || pl_str_is(value, params[i].value), "%s", params[i].text);
		ck_assert(pl_str_eq(req_form(req, params[i].name, NULL), value));
	}
	req->query = PL_STR_NONE;
	ck_assert_ptr_null(req_query(req, "a", NULL).ptr);
}
END_TEST

static const struct { const char *target, *shown; } targets[] = {
	{ "/a", "/a" }, { "/a?x=1", "/a?x=1" }, { "/ws?token=abc", "/ws?token=(hidden)" },
	{ "/ws?x=1&token=abc&y", "/ws?x=1&token=(hidden)&y" },
	{ "/ws?TOKEN=a&ticket=b", "/ws?TOKEN=(hidden)&ticket=(hidden)" }, { "/ws?%74oken=abc", "/ws?%74oken=(hidden)" },
	{ "/ws?token", "/ws?token" }, { "/x?code=a&iss=b&state=c", "/x?code=(hidden)&iss=b&state=(hidden)" },
	{ "/x?codes=a&States=b&State=c", "/x?codes=a&States=b&State=(hidden)" },
};

START_TEST(test_targets)
{
	for (size_t i = 0; i < PL_COUNT(targets); i++) {
		struct pl_str shown = req_target_redact(task->pool, pl_str(targets[i].target));

		ck_assert_msg(pl_str_is(shown, targets[i].shown), "%.*s", PL_FMT(shown));
	}
}
END_TEST

Suite *suite_req_params(void)
{
	Suite *suite = suite_create("req_params");
	TCase *tc = tcase_create("req_params");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_params);
	tcase_add_test(tc, test_targets);
	suite_add_tcase(suite, tc);
	return suite;
}

/* SPDX-License-Identifier: ISC */
/*
 * Rate classes: which requests count for whom, and what is refunded if one of several classes refuses.
 */
#include <check.h>
#include <stdlib.h>

#include "fake_svc.h"
#include "svc/account/limits.h"

Suite *suite_limits(void);

#define SESSION PL_STR("6f9619ff-8b86-4011-b42d-00cf4fc964ff")
#define OTHER_SESSION PL_STR("7f9619ff-8b86-4011-b42d-00cf4fc964ff")

static struct config *config;
static struct pl_caller ann = { .user_id = 1, .addr = "192.0.2.1" }, ben = { .user_id = 2, .addr = "192.0.2.2" };

static void setup(void)
{
	fake_svc_setup();
	config = (struct config *)(uintptr_t)svc_config(&fake_svc);
	config->s.rate_ask = (struct pl_rate){ .burst = 3, .interval_ns = PL_NS_PER_S };
	config->s.rate_ask_session = (struct pl_rate){ .burst = 2, .interval_ns = PL_NS_PER_S };
	config->s.rate_send = (struct pl_rate){ .burst = 4, .interval_ns = PL_NS_PER_S };
	config->s.rate_read = (struct pl_rate){ .burst = 2, .interval_ns = PL_NS_PER_S };
	config->s.rate_channel = (struct pl_rate){ .burst = 2, .interval_ns = PL_NS_PER_S };
	config->s.rate_login = (struct pl_rate){ .burst = 2, .interval_ns = PL_NS_PER_S };
	config->s.rate_guest = (struct pl_rate){ .burst = 2, .interval_ns = PL_NS_PER_S };
}

static bool take(enum limit_class klass, const struct pl_caller *who, struct pl_str extra)
{
	return limits_take(&fake_svc, config, klass, who, extra, NULL, NULL);
}

/* The number of further requests that pass now. */
static int left(enum limit_class klass, const struct pl_caller *who, struct pl_str extra)
{
	int count = 0;

	while (count < 100 && take(klass, who, extra))
		count++;
	return count;
}

START_TEST(counts_by_user)
{
	struct limit_result result;
	struct pl_err err = { 0 };

	for (int i = 3; i >= 0; i--) {
		ck_assert(limits_take(&fake_svc, config, LIMIT_SEND, &ann, PL_STR_NONE, &result, &err));
		ck_assert_int_eq(result.state.remaining, i);
	}
	ck_assert(!limits_take(&fake_svc, config, LIMIT_SEND, &ann, PL_STR_NONE, &result, &err));
	ck_assert_int_eq(err.code, PL_E_RATE);
	ck_assert_int_eq(err.retry_after_s, 1);
	ck_assert_int_eq(result.tightest, LIMIT_SEND);
	ck_assert_int_eq(shm_sum(fake_svc.shm, SHM_M_rate_refused), 1);
	ck_assert_int_eq(left(LIMIT_SEND, &ben, PL_STR_NONE), 4);
	ck_assert_int_eq(left(LIMIT_READ, &ann, PL_STR_NONE), 2);
	fake_skip_ms(2000);
	ck_assert_int_eq(left(LIMIT_SEND, &ann, PL_STR_NONE), 2);
}
END_TEST

/* The session refuses: the count of the user does not change. */
START_TEST(session_refuses)
{
	struct limit_result result;

	ck_assert(take(LIMIT_ASK, &ann, SESSION));
	ck_assert(take(LIMIT_ASK, &ben, SESSION));	/* a session counts for all its users */
	ck_assert(!limits_take(&fake_svc, config, LIMIT_ASK, &ann, SESSION, &result, NULL));
	ck_assert_int_eq(result.tightest, LIMIT_ASK_SESSION);
	ck_assert_int_eq(left(LIMIT_ASK, &ann, PL_STR_NONE), 2);
}
END_TEST

/* The limit of the user refuses: the count of the session is refunded. */
START_TEST(user_refuses_behind_the_session)
{
	struct limit_result result;

	ck_assert_int_eq(left(LIMIT_ASK, &ann, PL_STR_NONE), 3);
	for (int i = 0; i < 5; i++) {
		ck_assert(!limits_take(&fake_svc, config, LIMIT_ASK, &ann, SESSION, &result, NULL));
		ck_assert_int_eq(result.tightest, LIMIT_ASK);
	}
	ck_assert_int_eq(left(LIMIT_ASK, &ben, SESSION), 2);
}
END_TEST

START_TEST(tightest_of_two)
{
	struct limit_result result;

	ck_assert(limits_take(&fake_svc, config, LIMIT_ASK, &ann, SESSION, &result, NULL));
	ck_assert_int_eq(result.tightest, LIMIT_ASK_SESSION);
	ck_assert_int_eq(result.state.remaining, 1);
	ck_assert(limits_take(&fake_svc, config, LIMIT_ASK, &ann, OTHER_SESSION, &result, NULL));
	ck_assert(limits_take(&fake_svc, config, LIMIT_ASK, &ann, PL_STR("room 7"), &result, NULL));
	ck_assert_int_eq(result.tightest, LIMIT_ASK);
	ck_assert_int_eq(result.state.remaining, 0);
}
END_TEST

START_TEST(given_back)
{
	for (int i = 0; i < 10; i++) {
		ck_assert(take(LIMIT_ASK, &ann, SESSION));
		limits_give(&fake_svc, config, LIMIT_ASK, &ann, SESSION);
	}
	ck_assert_int_eq(left(LIMIT_ASK, &ann, SESSION), 2);
	ck_assert_int_eq(left(LIMIT_ASK, &ann, PL_STR_NONE), 1);
}
END_TEST

/* A request counts as a read; its other class refuses: the read is refunded. */
START_TEST(one_class_more)
{
	struct limit_result result;
	struct pl_err err = { 0 };

	ck_assert_int_eq(left(LIMIT_CHANNEL, &ben, PL_STR("c")), 2);
	for (int i = 0; i < 5; i++) {
		ck_assert(limits_take(&fake_svc, config, LIMIT_READ, &ann, PL_STR_NONE, &result, &err));
		ck_assert(!limits_take_more(&fake_svc, config, LIMIT_CHANNEL, &ann, PL_STR("c"), LIMIT_READ, &result,
		    &err));
		ck_assert(!result.allowed);
		ck_assert_int_eq(result.tightest, LIMIT_CHANNEL);
	}
	ck_assert(limits_take(&fake_svc, config, LIMIT_READ, &ann, PL_STR_NONE, &result, &err));
	ck_assert(limits_take_more(&fake_svc, config, LIMIT_SEND, &ann, PL_STR_NONE, LIMIT_READ, &result, &err));
	ck_assert_int_eq(result.tightest, LIMIT_READ);	/* 1 left, of the others 3 */
	ck_assert_int_eq(left(LIMIT_READ, &ann, PL_STR_NONE), 1);
}
END_TEST

/* Two addresses: do they count as one? */
static const struct { const char *a, *b; bool same; } addresses[] = {
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
	{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
	{ "unix", "unix", true },
};

START_TEST(counts_by_address)
{
	struct pl_caller a = { .user_id = 1 }, b = { .user_id = 2 };

	snprintf(a.addr, sizeof(a.addr), "%s", addresses[_i].a);
	snprintf(b.addr, sizeof(b.addr), "%s", addresses[_i].b);
	ck_assert_int_eq(left(LIMIT_LOGIN, &a, PL_STR_NONE), 2);
	ck_assert_int_eq(left(LIMIT_LOGIN, &b, PL_STR_NONE), addresses[_i].same ? 0 : 2);
	a.user_id = b.user_id = 0;
	ck_assert_int_eq(left(LIMIT_GUEST, &a, PL_STR_NONE), 2);
	ck_assert_int_eq(left(LIMIT_GUEST, &b, PL_STR_NONE), addresses[_i].same ? 0 : 2);
}
END_TEST

START_TEST(no_limit)
{
	config->s.rate_read.burst = 0;
	ck_assert_int_eq(left(LIMIT_READ, &ann, PL_STR_NONE), 100);
	ck_assert_int_eq(left(LIMIT_NONE, &ann, PL_STR_NONE), 100);
	config->s.rate_ask_session.burst = 0;
	ck_assert_int_eq(left(LIMIT_ASK, &ann, SESSION), 3);
}
END_TEST

Suite *suite_limits(void)
{
	const TTest *tests[] = { counts_by_user, session_refuses, user_refuses_behind_the_session, tightest_of_two,
		given_back, one_class_more, no_limit };
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	tcase_add_checked_fixture(tcase, setup, fake_svc_teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, counts_by_address, 0, PL_COUNT(addresses));
	suite_add_tcase(suite, tcase);
	return suite;
}

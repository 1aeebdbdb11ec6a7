/* SPDX-License-Identifier: ISC */
/*
 * db/conn/lookup.c: the parameters for libpq from the host names of a connection string, and a resolver that does not
 * return.
 */
#include <check.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db/conn/lookup.h"
#include "pool.h"

Suite *suite_lookup(void);

/* ---- the resolver: names end in .test ---- */

int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list_r);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list_r);

static struct { pthread_mutex_t lock; pthread_cond_t changed; int asked, returned; bool hold; } resolver = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, false
};

static int numbers(const char *const *addrs, struct addrinfo **list_r)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *rest = NULL;

	if (*addrs == NULL)
		return 0;
	if (numbers(addrs + 1, &rest) != 0 || __real_getaddrinfo(*addrs, NULL, &hints, list_r) != 0)
		return EAI_FAIL;
	(*list_r)->ai_next = rest;
	return 0;
}

static void count(int *what)
{
	pthread_mutex_lock(&resolver.lock);
	++*what;
	pthread_cond_broadcast(&resolver.changed);
	pthread_mutex_unlock(&resolver.lock);
}

static void hold(bool on)
{
	pthread_mutex_lock(&resolver.lock);
	resolver.hold = on;
	pthread_cond_broadcast(&resolver.changed);
	pthread_mutex_unlock(&resolver.lock);
}

static void wait_until(const int *what, int at_least)
{
	pthread_mutex_lock(&resolver.lock);
	while (*what < at_least)
		pthread_cond_wait(&resolver.changed, &resolver.lock);
	pthread_mutex_unlock(&resolver.lock);
}

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list_r)
{
	static const char *const one[] = { "192.0.2.1", NULL }, *const two[] = { "192.0.2.2", "2001:db8::2", NULL };
	size_t len = strlen(name);
	int error;

	if (len < 5 || strcmp(name + len - 5, ".test") != 0 || (hints->ai_flags & AI_NUMERICHOST) != 0)
		return __real_getaddrinfo(name, service, hints, list_r);
	count(&resolver.asked);
	pthread_mutex_lock(&resolver.lock);
	while (resolver.hold)
		pthread_cond_wait(&resolver.changed, &resolver.lock);
	pthread_mutex_unlock(&resolver.lock);
	error = strcmp(name, "none.test") == 0 ? EAI_NONAME :
	    numbers(strcmp(name, "two.test") == 0 ? two : one, list_r);
	count(&resolver.returned);
	return error;
}

/* ---- the loop ---- */

static struct event_base *base;
static struct lookup *lookup;
static int64_t now_ns;
static struct told { struct lookup_waiter waiter; struct lookup_found found; int times; } told[3];

static void on_found(void *arg, const struct lookup_found *found)
{
	struct told *t = arg;

	t->found = *found;
	t->times++;
}

static void skip_ms(int64_t ms)
{
	now_ns += ms * PL_NS_PER_MS;
	pl_clock_fake(now_ns, 1000000);
}

static void setup(void)
{
	base = event_base_new();
	lookup = lookup_new(base);
	resolver.asked = resolver.returned = 0;
	memset(told, 0, sizeof(told));
	for (size_t i = 0; i < PL_COUNT(told); i++)
		told[i].waiter = (struct lookup_waiter){ .done = on_found, .arg = &told[i] };
	now_ns = 1000 * PL_NS_PER_S;
	skip_ms(0);
}

static void teardown(void)
{
	lookup_free(&lookup);
	event_base_free(base);
	pl_clock_fake(0, 0);
}

/* Returns whether the result was returned at once. */
static bool start(int i, const char *conninfo)
{
	const struct lookup_found *found = lookup_start(lookup, conninfo, &told[i].waiter);

	if (found != NULL)
		on_found(&told[i], found);
	return found != NULL;
}

static void wait_told(int i)
{
	while (told[i].times == 0)
		event_base_loop(base, EVLOOP_ONCE);
}

/* ---- cases ---- */

static const struct {
	const char *conninfo;
	unsigned first;
	int asked;
	const char *host, *hostaddr, *port, *why;
} cases[] = {
	{ "dbname=x", 0, 0, "", "", "", "" },
	{ "host=/run/postgresql dbname=x", 0, 0, "", "", "", "" },
	{ "host=@abstract", 0, 0, "", "", "", "" },
	{ "host=127.0.0.1", 0, 0, "", "", "", "" },
	{ "host=::1 port=5", 3, 0, "", "", "", "" },
	{ "host=one.test hostaddr=127.0.0.1", 0, 0, "", "", "", "" },
	{ "hostaddr=127.0.0.1", 0, 0, "", "", "", "" },
	{ "nonsense", 0, 0, "", "", "", "" },
	{ "host=one.test", 0, 1, "one.test", "192.0.2.1", "5432", "" },
	{ "host=two.test port=6543", 0, 1, "two.test,two.test", "192.0.2.2,2001:db8::2", "6543,6543", "" },
	{ "host=two.test port=6543", 1, 1, "two.test,two.test", "2001:db8::2,192.0.2.2", "6543,6543", "" },
	{ "host=two.test port=6543", 2, 1, "two.test,two.test", "192.0.2.2,2001:db8::2", "6543,6543", "" },
	{ "postgresql://app@two.test:77,one.test:78/x", 0, 2, "two.test,two.test,one.test",
	    "192.0.2.2,2001:db8::2,192.0.2.1", "77,77,78", "" },
	{ "host=/tmp,one.test,10.0.0.1 port=1,2,3", 0, 1, "/tmp,one.test,10.0.0.1", ",192.0.2.1,", "1,2,3", "" },
	{ "host=one.test,one.test hostaddr=,10.0.0.9", 0, 1, "one.test,one.test", "192.0.2.1,10.0.0.9", "5432,5432",
	    "" },
	{ "host=none.test,one.test port=1,2", 0, 2, "one.test", "192.0.2.1", "2", "" },
	{ "host=10.0.0.1,10.0.0.2", 0, 0, "", "", "", "" },
	{ "host=10.0.0.1,10.0.0.2", 1, 0, "10.0.0.2,10.0.0.1", ",", "5432,5432", "" },
	{ "host=none.test", 0, 1, "", "", "", "could not look up the host name none.test: Name or service not known" },
};

START_TEST(test_strings)
{
	const struct told *t = &told[0];
	bool now;

	told[0].waiter.first = cases[_i].first;
	now = start(0, cases[_i].conninfo);
	ck_assert_int_eq(now, cases[_i].asked == 0);
	wait_told(0);
	ck_assert_int_eq(resolver.asked, cases[_i].asked);
	ck_assert_str_eq(t->found.host, cases[_i].host);
	ck_assert_str_eq(t->found.hostaddr, cases[_i].hostaddr);
	ck_assert_str_eq(t->found.port, cases[_i].port);
	ck_assert_str_eq(t->found.why, cases[_i].why);
}
END_TEST

START_TEST(test_environment)
{
	setenv("PGHOST", "one.test", 1);
	setenv("PGPORT", "99", 1);
	ck_assert(!start(0, "dbname=x"));
	wait_told(0);
	ck_assert_str_eq(told[0].found.hostaddr, "192.0.2.1");
	ck_assert_str_eq(told[0].found.port, "99");
	unsetenv("PGHOST");
	unsetenv("PGPORT");
}
END_TEST

START_TEST(test_many_hosts)
{
	char conninfo[400] = "host=one.test";

	for (int i = 0; i < 16; i++)
		strcat(conninfo, ",one.test");
	ck_assert_msg(start(0, conninfo), "17 hosts: libpq is left to itself");
	ck_assert_str_eq(told[0].found.host, "");
}
END_TEST

/* The loop continues; all callers meanwhile share one thread; callers that canceled are not called. */
START_TEST(test_slow)
{
	hold(true);
	for (int i = 0; i < 3; i++)
		ck_assert(!start(i, "host=one.test"));
	wait_until(&resolver.asked, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(told[0].times + told[1].times + told[2].times, 0);
	lookup_cancel(&told[1].waiter);
	hold(false);
	wait_told(0);
	wait_told(2);
	ck_assert_int_eq(told[0].times, 1);
	ck_assert_int_eq(told[1].times, 0);
	ck_assert_int_eq(told[2].times, 1);
	ck_assert_int_eq(resolver.asked, 1);
}
END_TEST

/* A result that arrived between two attempts serves the next one; a later one looks up again. */
START_TEST(test_fresh)
{
	ck_assert(!start(0, "host=one.test"));
	lookup_cancel(&told[0].waiter);
	wait_until(&resolver.returned, 1);
	event_base_loop(base, EVLOOP_ONCE);
	skip_ms(2000);
	ck_assert(start(0, "host=one.test"));
	ck_assert_str_eq(told[0].found.hostaddr, "192.0.2.1");
	ck_assert_msg(!start(1, "host=two.test"), "another name");
	wait_told(1);
	skip_ms(4000);
	ck_assert_msg(!start(2, "host=two.test"), "names may lead elsewhere by now");
	wait_told(2);
	ck_assert_int_eq(resolver.asked, 3);
}
END_TEST

/* A failure is not cached. */
START_TEST(test_failure)
{
	for (int i = 0; i < 2; i++) {
		ck_assert(!start(i, "host=none.test"));
		wait_told(i);
		ck_assert_str_ne(told[i].found.why, "");
	}
	ck_assert_int_eq(resolver.asked, 2);
}
END_TEST

/*
 * A thread that does not return is replaced, but only a limited number of times; if freed while it runs, it ends by
 * itself.
 */
START_TEST(test_stuck)
{
	hold(true);
	ck_assert(!start(0, "host=one.test"));
	for (int i = 1; i < 7; i++) {
		lookup_cancel(&told[0].waiter);
		wait_until(&resolver.asked, i < 4 ? i : 4);
		skip_ms(31000);
		ck_assert(!start(0, "host=one.test"));
	}
	ck_assert_int_eq(resolver.asked, 4);
	lookup_cancel(&told[0].waiter);
	lookup_free(&lookup);
	hold(false);
	wait_until(&resolver.returned, 4);
	ck_assert_int_eq(told[0].times, 0);
	lookup = lookup_new(base);
}
END_TEST

Suite *suite_lookup(void)
{
	Suite *suite = suite_create("lookup");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, test_strings, 0, PL_COUNT(cases));
	tcase_add_test(tests, test_environment);
	tcase_add_test(tests, test_many_hosts);
	tcase_add_test(tests, test_slow);
	tcase_add_test(tests, test_fresh);
	tcase_add_test(tests, test_failure);
	tcase_add_test(tests, test_stuck);
	suite_add_tcase(suite, tests);
	return suite;
}

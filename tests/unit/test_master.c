/* SPDX-License-Identifier: ISC */
/*
 * Parts of the master that can be tested alone: addresses, the signal table, the channel, the packed configuration.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/addr.h"
#include "core/channel.h"
#include "core/signals.h"
#include "core/supervise.h"

Suite *suite_master(void);

static const struct { const char *text; bool good; int family; } addresses[] = {
	{ "127.0.0.1:8000", true, AF_INET },
	{ "0.0.0.0:0", true, AF_INET },
	{ "*:65535", true, AF_INET },
	{ "localhost:80", true, AF_INET },
	{ "[::1]:8000", true, AF_INET6 },
	{ "[::]:8000", true, AF_INET6 },
	{ "unix:/run/x.sock", true, AF_UNIX },
	{ "unix:run/x.sock", false, 0 },
	{ "unix:", false, 0 },
	{ "8000", false, 0 },
	{ ":8000", false, 0 },
	{ "127.0.0.1", false, 0 },
	{ "127.0.0.1:65536", false, 0 },
	{ "127.0.0.1:+1", false, 0 },
	{ "127.0.0.1:", false, 0 },
	{ "127.1:80", false, 0 },
	{ "::1:8000", false, 0 },
	{ "[::1:8000", false, 0 },
	{ "[]:1", false, 0 },
	{ "[:1", false, 0 },
	{ "example.org:80", false, 0 },
	{ "", false, 0 },
};

START_TEST(test_address)
{
	struct addr addr;
	char why[128] = "";

	ck_assert_msg(addr_parse(addresses[_i].text, &addr, why) == addresses[_i].good, "%s: %s", addresses[_i].text,
	    why);
	if (addresses[_i].good) {
		ck_assert_int_eq(addr.sa.ss_family, addresses[_i].family);
		ck_assert_int_eq(addr.is_unix, addresses[_i].family == AF_UNIX);
		ck_assert_uint_gt(addr.len, 0);
	} else {
		ck_assert_str_ne(why, "");
	}
}
END_TEST

START_TEST(test_address_lengths)
{
	struct addr addr;
	char text[140], why[128];

	memset(text, 'x', sizeof(text));
	memcpy(text, "unix:/", 6);
	text[5 + 107] = '\0';
	ck_assert(addr_parse(text, &addr, why));
	ck_assert_uint_eq(strlen(addr_path(&addr)), 107);
	text[5 + 107] = 'x';
	text[5 + 108] = '\0';
	ck_assert(!addr_parse(text, &addr, why));
	memset(text, '1', 100);
	memcpy(text + 100, ":80", 4);
	ck_assert(!addr_parse(text, &addr, why));
}
END_TEST

START_TEST(test_signal_table)
{
	static const struct { int number; enum signal_act act; } want[] = {
		{ SIGTERM, SIGNAL_STOP }, { SIGINT, SIGNAL_STOP }, { SIGQUIT, SIGNAL_DRAIN }, { SIGHUP, SIGNAL_RELOAD },
		{ SIGUSR1, SIGNAL_REOPEN }, { SIGUSR2, SIGNAL_UPGRADE }, { SIGTTIN, SIGNAL_MORE }, { SIGTTOU,
		    SIGNAL_LESS },
		{ SIGCHLD, SIGNAL_CHILD },
	};

	ck_assert_uint_eq(signals_count, PL_COUNT(want));
	for (size_t i = 0; i < PL_COUNT(want); i++) {
		ck_assert_ptr_nonnull(signals_find(want[i].number));
		ck_assert_int_eq(signals_find(want[i].number)->act, want[i].act);
	}
	ck_assert_ptr_null(signals_find(SIGALRM));
}
END_TEST

START_TEST(test_signals_come_through_the_descriptor)
{
	int fd = signals_open();

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_null(signals_next(fd));
	raise(SIGHUP);
	ck_assert_int_eq(signals_next(fd)->act, SIGNAL_RELOAD);
	ck_assert(!signals_stop_within(fd, 0));
	raise(SIGQUIT);
	ck_assert(signals_stop_within(fd, 0));
	ck_assert_ptr_null(signals_next(fd));
	close(fd);
}
END_TEST

START_TEST(test_channel)
{
	struct channel_msg out = { .kind = CHANNEL_DRAIN, .number = 1012, .deadline_ns = 77, .cut = 1 }, in;
	int ends[2], passed, pipes[2];

	ck_assert(channel_pair(ends));
	ck_assert_int_eq(channel_recv(ends[1], &in, &passed), CHANNEL_EMPTY);
	ck_assert(channel_send(ends[0], &out, -1));
	ck_assert_int_eq(channel_recv(ends[1], &in, &passed), CHANNEL_MSG);
	ck_assert_int_eq(passed, -1);
	ck_assert_int_eq(in.number, 1012);
	ck_assert_int_eq(in.deadline_ns, 77);
	ck_assert_int_eq(pipe(pipes), 0);
	out.kind = CHANNEL_RELOAD;
	ck_assert(channel_send(ends[0], &out, pipes[1]));
	close(pipes[1]);
	ck_assert_int_eq(channel_recv(ends[1], &in, &passed), CHANNEL_MSG);
	ck_assert_int_ge(passed, 0);
	ck_assert_int_ne(fcntl(passed, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(passed, "x", 1), 1);
	close(passed);
	close(pipes[0]);
	close(ends[0]);
	ck_assert_int_eq(channel_recv(ends[1], &in, &passed), CHANNEL_GONE);
	ck_assert(!channel_send(ends[1], &out, -1));
	close(ends[1]);
}
END_TEST

START_TEST(test_channel_never_waits)
{
	struct channel_msg out = { .kind = CHANNEL_REOPEN };
	int ends[2], sent = 0;

	ck_assert(channel_pair(ends));
	while (channel_send(ends[0], &out, -1))
		sent++;
	ck_assert_int_ge(sent, 32);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(test_channel_refuses_other_packets)
{
	struct channel_msg in;
	int ends[2], passed;

	ck_assert(channel_pair(ends));
	ck_assert_int_eq(send(ends[0], "short", 5, 0), 5);
	ck_assert_int_eq(channel_recv(ends[1], &in, &passed), CHANNEL_GONE);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(test_config_by_descriptor)
{
	const char *overrides[] = { "server_name=handed on" };
	char why[512];
	struct config *config = config_read(NULL, overrides, 1, why), *back;
	int fd = reload_pack(config);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(write(fd, "x", 1), 0);	/* sealed */
	back = reload_unpack(fd, why);
	ck_assert_msg(back != NULL, "%s", why);
	ck_assert_str_eq(back->s.server_name, "handed on");
	ck_assert_ptr_null(reload_unpack(-1, why));
	config_release(&back);
	config_release(&config);
}
END_TEST

Suite *suite_master(void)
{
	Suite *suite = suite_create("master");
	TCase *tcase = tcase_create("master");

	tcase_add_loop_test(tcase, test_address, 0, (int)PL_COUNT(addresses));
	tcase_add_test(tcase, test_address_lengths);
	tcase_add_test(tcase, test_signal_table);
	tcase_add_test(tcase, test_signals_come_through_the_descriptor);
	tcase_add_test(tcase, test_channel);
	tcase_add_test(tcase, test_channel_never_waits);
	tcase_add_test(tcase, test_channel_refuses_other_packets);
	tcase_add_test(tcase, test_config_by_descriptor);
	suite_add_tcase(suite, tcase);
	return suite;
}

/* SPDX-License-Identifier: ISC */
/* Signals of the master: one table, read through signalfd(2). */
#include "core/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"

const struct signal_row signals_table[] = {
	{ SIGTERM, SIGNAL_STOP, "TERM", "stop: requests get stop_timeout, sockets close with 1001; twice: at once" },
	{ SIGINT, SIGNAL_STOP, "INT", "the same as TERM" },
	{ SIGQUIT, SIGNAL_DRAIN, "QUIT", "drain: requests and answers get drain_timeout, sockets close with 1012" },
	{ SIGHUP, SIGNAL_RELOAD, "HUP", "read the configuration again; a bad one is refused and the old one stays" },
	{ SIGUSR1, SIGNAL_REOPEN, "USR1", "open the log files again" },
	{ SIGTTIN, SIGNAL_MORE, "TTIN", "add a worker" },
	{ SIGTTOU, SIGNAL_LESS, "TTOU", "remove the newest worker; it drains first" },
	{ SIGUSR2, SIGNAL_UPGRADE, "USR2", "binary upgrade; not in this version: logged and ignored" },
	{ SIGCHLD, SIGNAL_CHILD, "CHLD", "a child has ended" },
};
const size_t signals_count = PL_COUNT(signals_table);

const struct signal_row *signals_find(int number)
{
	for (size_t i = 0; i < signals_count; i++)
		if (signals_table[i].number == number)
			return &signals_table[i];
	return NULL;
}

int signals_open(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < signals_count; i++)
		sigaddset(&ours, signals_table[i].number);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &ours, NULL) != 0)
		return -1;
	return signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
}

const struct signal_row *signals_next(int fd)
{
	struct signalfd_siginfo info;
	const struct signal_row *row;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		row = signals_find((int)info.ssi_signo);
		if (row != NULL)
			return row;
	}
	return NULL;
}

bool signals_stop_within(int fd, int wait_ms)
{
	int64_t until_ns = pl_now_ns() + wait_ms * PL_NS_PER_MS;

	for (;;) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		int64_t left_ms = (until_ns - pl_now_ns()) / PL_NS_PER_MS;
		const struct signal_row *row;

		if (poll(&one, 1, left_ms > 0 ? (int)left_ms : 0) < 0 && errno != EINTR)
			return false;
		while ((row = signals_next(fd)) != NULL)
			if (row->act == SIGNAL_STOP || row->act == SIGNAL_DRAIN)
				return true;
		if (left_ms <= 0)
			return false;
	}
}

void signals_child(void)
{
	sigset_t none;

	for (size_t i = 0; i < signals_count; i++)
		signal(signals_table[i].number, signals_table[i].act == SIGNAL_CHILD ? SIG_DFL : SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

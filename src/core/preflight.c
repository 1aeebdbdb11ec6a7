/* SPDX-License-Identifier: ISC */
/*
 * Checks once before the first fork whether the daemon can work: whether the database is reachable and its schema is
 * right.
 *
 * A separate process does it: as the unprivileged user, because PostgreSQL may identify users by their uid, and so that
 * libraries leave no threads or connections in the master.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "core/supervise.h"

static PL_NORETURN void preflight_main(struct master *m, int out)
{
	char why[512] = "";
	int status = STATUS_NOPERM;

	proc_hide_memory();
	if (priv_drop(&m->priv, why))
		status = m->opts->preflight(m->config, why);
	if (write(out, why, sizeof(why)) != (ssize_t)sizeof(why))
		status = status != 0 ? status : STATUS_OSERR;
	_exit(status);
}

/* Reads the result until the process ends. A signal to stop ends it. */
static bool listen_to(struct master *m, int in, char why[512])
{
	for (;;) {
		struct pollfd one = { .fd = in, .events = POLLIN };

		if (poll(&one, 1, 100) > 0)
			break;
		if (signals_stop_within(m->signal_fd, 0)) {
			snprintf(why, 512, "stopped while starting");
			return false;
		}
	}
	return read(in, why, 512) == 512 || snprintf(why, 512, "the check before the start ended without a result") < 0;
}

int preflight_run(struct master *m, char why[512])
{
	int ends[2], how = 0;
	bool heard;
	pid_t pid;

	if (m->opts->preflight == NULL)
		return 0;
	if (pipe(ends) != 0 || (pid = child_fork(m)) < 0) {
		snprintf(why, 512, "cannot fork: %s", strerror(errno));
		return STATUS_OSERR;
	}
	if (pid == 0) {
		close(ends[0]);
		preflight_main(m, ends[1]);
	}
	close(ends[1]);
	heard = listen_to(m, ends[0], why);
	why[511] = '\0';
	close(ends[0]);
	if (!heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(how) && heard)
		return WEXITSTATUS(how);
	return STATUS_OSERR;
}

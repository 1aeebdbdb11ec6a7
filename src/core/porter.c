/* SPDX-License-Identifier: ISC */
/* fork -> work -> report through a pipe -> exit. The pipe closes when the process ends. */
#include "core/porter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core/proc.h"
#include "log.h"

#define FILES_MAX 256

struct porter {
	pid_t pid;
	int in;
	struct event *readable, *limit;
	struct porter_opts opts;
	porter_done_fn *done;
	void *arg;
	bool late;
	size_t bytes;
	char report[PORTER_REPORT_MAX];
};

/* ---- in the new process ---- */

void porter_report(int out, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t done = write(out, at, bytes);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(1);
		at += done;
		bytes -= (size_t)done;
	}
}

static bool is_mine(int fd, int out)
{
	return fd <= STDERR_FILENO || fd == out || pl_log_owns(fd);
}

/* An inherited socket would remain open when the parent closes it, and the parent's epoll would report its events. */
static void close_inherited(int out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	for (int fd = 0; dir == NULL && fd < FILES_MAX * 4; fd++)
		if (!is_mine(fd, out))
			close(fd);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && !is_mine(fd, out))
			close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

static void limit(int what, rlim_t most)
{
	struct rlimit had;

	if (getrlimit(what, &had) == 0 && (had.rlim_max == RLIM_INFINITY || had.rlim_max > most))
		had.rlim_max = most;
	had.rlim_cur = had.rlim_max;
	if (setrlimit(what, &had) != 0)
		pl_log(PL_LOG_WARN, NULL, "resource not limited", "resource=%d why=%s", what, strerror(errno));
}

static void limits(const struct porter_opts *opts)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CPU, (rlim_t)opts->cpu_s);
#if !defined(__SANITIZE_ADDRESS__)
	limit(RLIMIT_DATA, (rlim_t)opts->memory_mb << 20);
#endif
}

static void signals_reset(const sigset_t *mask)
{
	for (int number = 1; number < NSIG; number++)
		if (number != SIGKILL && number != SIGSTOP && number != SIGPIPE)
			signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static PL_NORETURN void porter_main(const struct porter *p, porter_work_fn *work, int out, pid_t parent,
    const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signals_reset(mask);
	proc_name("porter", p->opts.number);
	close_inherited(out);
	limits(&p->opts);
	work(p->arg, out);
	_exit(0);
}

/* ---- in the parent ---- */

static void release(struct porter *p)
{
	event_free(p->readable);
	event_free(p->limit);
	close(p->in);
	pl_free(p);
}

/* The process is dead or about to die, so this waits only for the kernel. */
static void bury(struct porter *p, struct porter_end *end_r)
{
	int how = 0;
	pid_t got;

	do
		got = waitpid(p->pid, &how, 0);
	while (got < 0 && errno == EINTR);
	*end_r = (struct porter_end){ .report = p->report, .bytes = p->bytes };
	end_r->whole = got == p->pid && WIFEXITED(how) && WEXITSTATUS(how) == 0;
	if (p->late)
		snprintf(end_r->why, sizeof(end_r->why), "took longer than %lld s",
		    (long long)(p->opts.limit_ms / 1000));
	else if (WIFSIGNALED(how))
		snprintf(end_r->why, sizeof(end_r->why), "signal %d", WTERMSIG(how));
	else if (!end_r->whole)
		snprintf(end_r->why, sizeof(end_r->why), "exit status %d", WEXITSTATUS(how));
}

/* true: more data may come. */
static bool hear(struct porter *p)
{
	char drop[512];
	ssize_t got;

	do {
		bool room = p->bytes < sizeof(p->report);

		got = read(p->in, room ? p->report + p->bytes : drop, room ? sizeof(p->report) - p->bytes :
		    sizeof(drop));
		if (got > 0 && room)
			p->bytes += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct porter *p = arg;
	struct porter_end end;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (hear(p))
		return;
	bury(p, &end);
	p->done(p->arg, &end);
	release(p);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct porter *p = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	p->late = true;
	kill(p->pid, SIGKILL);
}

static struct porter *porter_new(struct event_base *base, const struct porter_opts *opts, porter_done_fn *done,
    void *arg, int in)
{
	struct porter *p = pl_new(sizeof(*p));
	struct timeval most = { opts->limit_ms / 1000, opts->limit_ms % 1000 * 1000 };

	p->opts = *opts;
	p->done = done;
	p->arg = arg;
	p->in = in;
	p->readable = event_new(base, in, EV_READ | EV_PERSIST, on_readable, p);
	p->limit = evtimer_new(base, on_limit, p);
	PL_BUG(p->readable == NULL || p->limit == NULL || event_add(p->readable, NULL) != 0 ||
	    evtimer_add(p->limit, &most) != 0);
	return p;
}

struct porter *porter_start(struct event_base *base, const struct porter_opts *opts, porter_work_fn *work,
    porter_done_fn *done, void *arg)
{
	sigset_t all, mask;
	struct porter *p;
	int ends[2], error;
	pid_t parent = getpid();

	if (pipe2(ends, O_CLOEXEC) != 0)
		return NULL;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	p = porter_new(base, opts, done, arg, ends[0]);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	p->pid = fork();
	error = errno;
	if (p->pid == 0)
		porter_main(p, work, ends[1], parent, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(ends[1]);
	if (p->pid > 0)
		return p;
	release(p);
	errno = error;
	return NULL;
}

void porter_kill(struct porter **porter, struct porter_end *end_r)
{
	static char last[PORTER_REPORT_MAX];
	struct porter *p = *porter;

	*porter = NULL;
	kill(p->pid, SIGKILL);
	bury(p, end_r);
	hear(p);
	memcpy(last, p->report, p->bytes);
	end_r->report = last;
	end_r->bytes = p->bytes;
	release(p);
}

/* SPDX-License-Identifier: ISC */
/* What every process of the daemon sets up for itself: log, name, and limits. */
#include "core/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

#define ORPHAN_ALARM_S 10

static struct { char *at; size_t bytes; } title;
static bool no_stderr;
static pid_t followed;

/* If stderr is systemd's journal, which adds times itself, systemd says so in the environment. */
static bool under_journal(void)
{
	return getenv("JOURNAL_STREAM") != NULL;
}

void proc_log_daemon(void)
{
	no_stderr = true;
}

bool proc_log_open(const struct config *config, char why[256])
{
	const struct settings *s = &config->s;
	struct pl_log_opts opts = { .level = (enum pl_log_level)s->log_level,
	    .format = (enum pl_log_format)s->log_format };

	if (strcmp(s->log, "syslog") == 0 || (no_stderr && strcmp(s->log, "stderr") == 0)) {
		opts.target = PL_LOG_SYSLOG;
	} else if (strcmp(s->log, "stderr") == 0) {
		opts.target = PL_LOG_STDERR;
		opts.no_time = under_journal();
	} else {
		opts.target = PL_LOG_FILE;
		opts.path = s->log;
	}
	return pl_log_open(&opts, why) && pl_access_open(s->access_log, why);
}

void proc_title_init(int argc, char **argv)
{
	char *end = argv[0];

	for (int i = 0; i < argc && argv[i] == end; i++)	/* as far as the strings are adjacent */
		end = argv[i] + strlen(argv[i]) + 1;
	title.at = argv[0];
	title.bytes = (size_t)(end - argv[0]);
}

void proc_name(const char *what, int number)
{
	char name[32], line[64];

	if (number >= 0) {
		snprintf(name, sizeof(name), "%s/%d", what, number);
		snprintf(line, sizeof(line), "parlourd: %s %d", what, number);
	} else {
		snprintf(name, sizeof(name), "%s", what);
		snprintf(line, sizeof(line), "parlourd: %s", what);
	}
	pl_log_proc(name);
	prctl(PR_SET_NAME, strcmp(what, "master") == 0 ? "parlourd" : name);
	if (title.bytes < 2)
		return;
	memset(title.at, 0, title.bytes);
	memcpy(title.at, line, strnlen(line, title.bytes - 1));
}

long proc_raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 1024;
	if (files.rlim_cur < files.rlim_max) {
		rlim_t before = files.rlim_cur;

		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			files.rlim_cur = before;
	}
	return (long)files.rlim_cur;
}

void proc_hide_memory(void)
{
#if !defined(PARLOUR_DEBUG) && !defined(__SANITIZE_ADDRESS__)
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Children use SIGUSR2 only for this. If a person sends it, nothing changes. */
static void on_parent_death(int number)
{
	PL_UNUSED(number);
	if (getppid() != followed)
		alarm(ORPHAN_ALARM_S);
}

bool proc_follow(pid_t master)
{
	struct sigaction act = { .sa_handler = on_parent_death, .sa_flags = SA_RESTART };

	followed = master;
	sigaction(SIGUSR2, &act, NULL);
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	return getppid() == master;
}

bool proc_null_stdio(bool out)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = dup2(fd, STDIN_FILENO) >= 0;
	if (out)
		good = good && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
	if (fd > STDERR_FILENO)
		close(fd);
	return good;
}

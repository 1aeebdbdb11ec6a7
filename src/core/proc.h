/* SPDX-License-Identifier: ISC */
/*
 * What every process of the daemon needs about itself: log, name, limits, whom it runs as.
 */
#ifndef CORE_PROC_H
#define CORE_PROC_H

#include <sys/types.h>

#include "core/settings.h"

/* Opens log and access log as configured. */
bool proc_log_open(const struct config *config, char why[256]) PL_MUSTCHECK;
/* From now on, children included, stderr leads nowhere: where the settings say stderr, syslog is meant. */
void proc_log_daemon(void);
/* The argv area shows what a process is; what pointed into argv must have been copied before the first proc_name(). */
void proc_title_init(int argc, char **argv);
/* "master", "worker", "hasher", "clerk", "courier", or "porter", number -1: none. For ps, top and the log. */
void proc_name(const char *what, int number);

/* The open-file limit up to what is allowed; returns it. */
long proc_raise_files(void);
/* No core file and no ptrace for what holds secrets (not in debug and sanitizer builds). */
void proc_hide_memory(void);
/*
 * A child that hangs when its master dies, and so does not see it, is ended by the kernel 10 s later. false: already
 * dead.
 */
bool proc_follow(pid_t master) PL_MUSTCHECK;
/* stdin from /dev/null; out too: stdout and stderr also. */
bool proc_null_stdio(bool out);

/* Whom the children become. active false: nothing to change. */
struct priv {
	bool active;
	uid_t uid;
	gid_t gid;
	char user[33];
};
/* 0, or exit status 77 and a sentence that says what to do. */
int priv_find(const struct config *config, struct priv *priv_r, char why[512]) PL_MUSTCHECK;
/* Permanently: user, groups, no new privileges. */
bool priv_drop(const struct priv *priv, char why[512]) PL_MUSTCHECK;

/* systemd's notification protocol (sd_notify(3)) over $NOTIFY_SOCKET; without one, nothing happens. */
void notify_send(const char *fmt, ...) PL_PRINTF(1, 2);
/* How often WATCHDOG=1 is due, in ns; 0: never. */
int64_t notify_watchdog_ns(void);

/* Pid file, locked while the master lives. 0, or an exit status and why[]. fd -1: none is wanted. */
struct pidfile { int fd; char path[4096]; };
int pidfile_open(struct pidfile *pidfile, const char *path, char why[512]) PL_MUSTCHECK;
bool pidfile_write(const struct pidfile *pidfile, pid_t pid) PL_MUSTCHECK;
void pidfile_close(struct pidfile *pidfile);	/* removes it */

#endif

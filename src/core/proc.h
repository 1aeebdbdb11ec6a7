/* SPDX-License-Identifier: ISC */
/*
 * Functions for all processes of the daemon: log, process name, limits, and user.
 */
#ifndef CORE_PROC_H
#define CORE_PROC_H

#include <sys/types.h>

#include "core/settings.h"

/* Opens log and access log as configured. */
bool proc_log_open(const struct config *config, char why[256]) PL_MUSTCHECK;
/*
 * From now on, in this process and its children, stderr is closed. If the settings say stderr, the log goes to syslog.
 */
void proc_log_daemon(void);
/* Lets proc_name() overwrite the argv area with the process name. Copy strings in argv before the first proc_name(). */
void proc_title_init(int argc, char **argv);
/* "master", "worker", "hasher", "clerk", "courier", or "porter", number -1: none. For ps, top and the log. */
void proc_name(const char *what, int number);

/* Raises the open-file limit to the allowed maximum and returns it. */
long proc_raise_files(void);
/* Disables core files and ptrace for processes with secrets (not in debug and sanitizer builds). */
void proc_hide_memory(void);
/*
 * If the master dies while this child hangs, the kernel ends the child 10 s later. false: the master is already dead.
 */
bool proc_follow(pid_t master) PL_MUSTCHECK;
/* stdin from /dev/null; out too: stdout and stderr also. */
bool proc_null_stdio(bool out);

/* The user that the child processes become. active false: no change. */
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

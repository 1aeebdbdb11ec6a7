/* SPDX-License-Identifier: ISC */
/*
 * One line per event, key=value or JSON, to stderr, a file or syslog.
 *
 *   pl_log(PL_LOG_INFO, task_or_NULL, "worker started", "slot=%d pid=%d", slot, pid);
 *   level=info t=2026-11-20T23:59:59.123456Z proc=worker/2 pid=71 msg="worker started" slot=3
 *
 * The format after `msg` is a list of key=value with printf conversions; text values go through %s and are quoted and
 * escaped by the logger (a newline or ESC in a user's name stays one line). There is no conversion for secrets, and
 * struct pl_secret has no printer. The line carries the task's request id as request_id=... .
 */
#ifndef PL_LOG_H
#define PL_LOG_H

#include <stdbool.h>

#include "pool.h"

struct pl_task;

enum pl_log_level { PL_LOG_ERROR, PL_LOG_WARN, PL_LOG_INFO, PL_LOG_DEBUG };
enum pl_log_format { PL_LOG_KV, PL_LOG_JSON };
enum pl_log_target { PL_LOG_STDERR, PL_LOG_FILE, PL_LOG_SYSLOG };

struct pl_log_opts {
	enum pl_log_level level;
	enum pl_log_format format;
	enum pl_log_target target;
	const char *path;	/* PL_LOG_FILE */
	bool no_time;		/* for systemd's journal, which adds its own time */
};

/*
 * Opens the target (append, O_CLOEXEC, 0640). If the file cannot be opened, returns false with a message in why[], and
 * the old target stays in use. A target that cannot take a line (disk full, full pipe) never blocks and never fails the
 * caller: lines are dropped and counted.
 */
bool pl_log_open(const struct pl_log_opts *opts, char why[256]) PL_MUSTCHECK;
/* Opens the file again under its name (after logrotate). */
void pl_log_reopen(void);
/* "master", "worker/2", "hasher/0", "clerk": copied. */
void pl_log_proc(const char *name);
/*
 * Whether the descriptor belongs to the log or the access log. Code that closes inherited descriptors must leave it
 * open.
 */
bool pl_log_owns(int fd);
unsigned long pl_log_dropped(void);
void pl_log_level_set(enum pl_log_level level);
bool pl_log_on(enum pl_log_level level);

void pl_log(enum pl_log_level level, const struct pl_task *task, const char *msg, const char *fmt, ...)
    PL_PRINTF(4, 5);

/*
 * The access log: own target with the same format and rules. The line is written by pl_access(), fields as above.
 * path NULL or "" = off, "-" = the log's own target.
 */
bool pl_access_open(const char *path, char why[256]) PL_MUSTCHECK;
bool pl_access_on(void);
void pl_access(const char *fmt, ...) PL_PRINTF(1, 2);
/* Writes a complete line in another format, with its LF, for an access log that is a file. */
void pl_access_line(const char *line, size_t len);

#endif

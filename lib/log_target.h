/* SPDX-License-Identifier: ISC */
/*
 * Where log lines go. Private to lib/log*.c.
 */
#ifndef PL_LOG_TARGET_H
#define PL_LOG_TARGET_H

#include "log.h"

struct pl_log_sink {
	enum pl_log_target target;
	int fd;			/* -1 = closed */
	bool own_fd;		/* false: the process's own stderr */
	bool is_socket;		/* send(2) with MSG_DONTWAIT */
	bool must_poll;		/* can block and cannot be set to non-blocking: poll before each write */
	bool torn;		/* the last line was written in part */
	unsigned long dropped;
	char path[256];
};
#define PL_LOG_SINK_CLOSED ((struct pl_log_sink){ .fd = -1 })

/* Opens into *sink (closing nothing). path for PL_LOG_FILE only. false: why[] says what failed. */
bool pl_log_sink_open(struct pl_log_sink *sink, enum pl_log_target target, const char *path, char why[256])
    PL_MUSTCHECK;
/* Opens a file again under its name; if that fails, the old one stays in use. */
void pl_log_sink_reopen(struct pl_log_sink *sink);
void pl_log_sink_close(struct pl_log_sink *sink);
/* One line with its LF. Never blocks. false: the line was dropped (and counted). */
bool pl_log_sink_write(struct pl_log_sink *sink, enum pl_log_level level, const char *line, size_t len);

#endif

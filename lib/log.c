/* SPDX-License-Identifier: ISC */
/*
 * The log and the access log: state of the process, and the fields that every line has.
 */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log_line.h"
#include "log_target.h"
#include "task.h"

static const char *const level_names[] = {
	[PL_LOG_ERROR] = "error", [PL_LOG_WARN] = "warn", [PL_LOG_INFO] = "info", [PL_LOG_DEBUG] = "debug"
};

enum access_mode { ACCESS_OFF, ACCESS_SHARED, ACCESS_OWN };

static struct {
	struct pl_log_sink sink, access;
	enum access_mode access_mode;
	enum pl_log_level level;
	bool json, no_time;
	unsigned long told_dropped;	/* of `sink`: already reported in a line */
	char proc[32];
} logger = {
	.sink = { .target = PL_LOG_STDERR, .fd = STDERR_FILENO, .must_poll = true },
	.access = { .fd = -1 },
	.level = PL_LOG_INFO,
};

bool pl_log_open(const struct pl_log_opts *opts, char why[256])
{
	struct pl_log_sink made;

	if (!pl_log_sink_open(&made, opts->target, opts->path, why))
		return false;
	made.dropped = logger.sink.dropped;
	pl_log_sink_close(&logger.sink);
	logger.sink = made;
	logger.level = opts->level;
	logger.json = opts->format == PL_LOG_JSON;
	logger.no_time = opts->no_time;
	return true;
}

void pl_log_reopen(void)
{
	pl_log_sink_reopen(&logger.sink);
	pl_log_sink_reopen(&logger.access);
}

void pl_log_proc(const char *name)
{
	snprintf(logger.proc, sizeof(logger.proc), "%s", name);
}

bool pl_log_owns(int fd)
{
	return fd == logger.sink.fd || fd == logger.access.fd;
}

unsigned long pl_log_dropped(void)
{
	return logger.sink.dropped + logger.access.dropped;
}

void pl_log_level_set(enum pl_log_level level)
{
	logger.level = level;
}

bool pl_log_on(enum pl_log_level level)
{
	return level <= logger.level;
}

static void add_time(struct pl_line *line)
{
	char now[PL_TIME_LEN + 1];

	if (logger.no_time)
		return;
	pl_time_format(pl_wall_us(), now);
	now[PL_TIME_LEN] = '\0';
	pl_line_text(line, "t", now);
}

static void start_line(struct pl_line *line, enum pl_log_level level, const char *msg)
{
	pl_line_start(line, logger.json);
	pl_line_text(line, "level", level_names[level]);
	add_time(line);
	if (logger.proc[0] != '\0')
		pl_line_text(line, "proc", logger.proc);
	pl_line_int(line, "pid", getpid());
	pl_line_text(line, "msg", msg);
}

static void finish_line(struct pl_line *line, struct pl_log_sink *sink, enum pl_log_level level)
{
	pl_line_end(line);
	pl_log_sink_write(sink, level, line->text, line->len);
}

/* Once the target takes lines again it says how many it did not take. */
static void tell_dropped(void)
{
	struct pl_line line;
	unsigned long count = logger.sink.dropped - logger.told_dropped;

	if (count == 0)
		return;
	logger.told_dropped = logger.sink.dropped;
	start_line(&line, PL_LOG_WARN, "log lines were dropped");
	pl_line_int(&line, "count", (long)count);
	pl_line_end(&line);
	if (!pl_log_sink_write(&logger.sink, PL_LOG_WARN, line.text, line.len)) {
		logger.told_dropped -= count;
		logger.sink.dropped--;	/* this line was nobody's */
	}
}

void pl_log(enum pl_log_level level, const struct pl_task *task, const char *msg, const char *fmt, ...)
{
	struct pl_line line;
	int error = errno;
	va_list args;

	if (!pl_log_on(level))
		return;
	tell_dropped();
	start_line(&line, level, msg);
	if (task != NULL)
		pl_line_text(&line, "request_id", task->request_id);
	if (fmt != NULL) {
		va_start(args, fmt);
		pl_line_fields(&line, fmt, args, error);
		va_end(args);
	}
	finish_line(&line, &logger.sink, level);
	errno = error;
}

bool pl_access_open(const char *path, char why[256])
{
	struct pl_log_sink made = PL_LOG_SINK_CLOSED;
	enum access_mode mode = ACCESS_OFF;

	if (path != NULL && strcmp(path, "-") == 0) {
		mode = ACCESS_SHARED;
	} else if (path != NULL && path[0] != '\0') {
		if (!pl_log_sink_open(&made, PL_LOG_FILE, path, why))
			return false;
		mode = ACCESS_OWN;
	}
	made.dropped = logger.access.dropped;
	pl_log_sink_close(&logger.access);
	logger.access = made;
	logger.access_mode = mode;
	return true;
}

bool pl_access_on(void)
{
	return logger.access_mode != ACCESS_OFF;
}

/* In a file of its own a line needs neither level nor msg; among other lines it has both. */
void pl_access(const char *fmt, ...)
{
	struct pl_log_sink *sink = logger.access_mode == ACCESS_OWN ? &logger.access : &logger.sink;
	struct pl_line line;
	int error = errno;
	va_list args;

	if (logger.access_mode == ACCESS_OFF)
		return;
	if (logger.access_mode == ACCESS_SHARED) {
		start_line(&line, PL_LOG_INFO, "access");
	} else {
		pl_line_start(&line, logger.json);
		add_time(&line);
		if (logger.proc[0] != '\0')
			pl_line_text(&line, "proc", logger.proc);
	}
	va_start(args, fmt);
	pl_line_fields(&line, fmt, args, error);
	va_end(args);
	finish_line(&line, sink, PL_LOG_INFO);
	errno = error;
}

void pl_access_line(const char *line, size_t len)
{
	if (logger.access_mode == ACCESS_OWN)
		pl_log_sink_write(&logger.access, PL_LOG_INFO, line, len);
}

/* SPDX-License-Identifier: ISC */
/*
 * Log targets that never block.
 *
 * The flags of an inherited stderr belong to its other holders (a shell, a supervisor), so O_NONBLOCK is not set on
 * it: a pipe or terminal is opened again through /proc/self/fd, which gives a description of our own; a socket (the
 * journal) is written with MSG_DONTWAIT. Only where /proc is out of reach is poll(2) asked first, which leaves a small
 * window when two processes share one pipe.
 */
#include "log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log_line.h"

enum { LOG_FILE_MODE = 0640 };

static void open_stderr(struct pl_log_sink *sink)
{
	struct stat about;
	int fd;

	sink->fd = STDERR_FILENO;
	sink->own_fd = false;
	if (fstat(STDERR_FILENO, &about) != 0)
		return;
	sink->is_socket = S_ISSOCK(about.st_mode);
	if (!S_ISFIFO(about.st_mode) && !S_ISCHR(about.st_mode))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		sink->fd = fd;
		sink->own_fd = true;
	} else {
		sink->must_poll = true;
	}
}

static int open_syslog(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_file(const char *path)
{
	/* O_NONBLOCK: the path may name a pipe. */
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_FILE_MODE);
}

bool pl_log_sink_open(struct pl_log_sink *sink, enum pl_log_target target, const char *path, char why[256])
{
	struct pl_log_sink made = PL_LOG_SINK_CLOSED;

	made.target = target;
	made.own_fd = true;
	if (target == PL_LOG_STDERR) {
		open_stderr(&made);
	} else if (target == PL_LOG_SYSLOG) {
		/* No syslog daemon yet is no error: each line tries again. */
		made.is_socket = true;
		made.fd = open_syslog();
	} else {
		if (path == NULL || strlen(path) >= sizeof(made.path)) {
			snprintf(why, 256, "log file: the path must have 1 to %zu bytes", sizeof(made.path) - 1);
			return false;
		}
		memcpy(made.path, path, strlen(path) + 1);
		made.fd = open_file(path);
		if (made.fd < 0) {
			snprintf(why, 256, "log file %.180s: %s", path, strerror(errno));
			return false;
		}
	}
	*sink = made;
	return true;
}

void pl_log_sink_close(struct pl_log_sink *sink)
{
	if (sink->own_fd && sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
	sink->own_fd = false;
}

void pl_log_sink_reopen(struct pl_log_sink *sink)
{
	int fd;

	if (sink->target != PL_LOG_FILE || sink->fd < 0)
		return;
	fd = open_file(sink->path);
	if (fd < 0)
		return;
	close(sink->fd);
	sink->fd = fd;
	sink->torn = false;
}

static ssize_t write_once(struct pl_log_sink *sink, const char *data, size_t len)
{
	struct pollfd ready = { .fd = sink->fd, .events = POLLOUT };
	ssize_t done;

	if (sink->must_poll && (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
		return -1;
	do {
		done = sink->is_socket ? send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
		    write(sink->fd, data, len);
	} while (done < 0 && errno == EINTR);
	return done;
}

/* RFC 3164 head as the C library's syslog(3) writes it: <facility and severity>Mmm dd hh:mm:ss tag[pid]: */
static size_t syslog_head(enum pl_log_level level, char *out, size_t cap)
{
	static const int severities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t now = (time_t)(pl_wall_us() / PL_US_PER_S);
	struct tm at;

	if (localtime_r(&now, &at) == NULL)
		memset(&at, 0, sizeof(at));
	return (size_t)snprintf(out, cap, "<%d>%s %2d %02d:%02d:%02d parlourd[%d]: ", LOG_DAEMON | severities[level],
	    months[at.tm_mon % 12], at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, (int)getpid());
}

static bool write_syslog(struct pl_log_sink *sink, enum pl_log_level level, const char *line, size_t len)
{
	char packet[PL_LINE_BYTES + 96];
	size_t head = syslog_head(level, packet, sizeof(packet) - PL_LINE_BYTES);

	if (len > PL_LINE_BYTES)
		return false;
	memcpy(packet + head, line, len);
	if (sink->fd >= 0 && write_once(sink, packet, head + len - 1) >= 0)	/* - 1: a packet needs no LF */
		return true;
	if (sink->fd >= 0 && (errno == EAGAIN || errno == ENOBUFS))
		return false;
	/* The syslog daemon came back under a new socket, or is there at last. */
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = open_syslog();
	return sink->fd >= 0 && write_once(sink, packet, head + len - 1) >= 0;
}

static bool write_line(struct pl_log_sink *sink, const char *line, size_t len)
{
	ssize_t done;

	if (sink->fd < 0 || (sink->torn && write_once(sink, "\n", 1) != 1))
		return false;
	sink->torn = false;
	done = write_once(sink, line, len);
	sink->torn = done > 0 && (size_t)done < len;
	return done == (ssize_t)len;
}

bool pl_log_sink_write(struct pl_log_sink *sink, enum pl_log_level level, const char *line, size_t len)
{
	bool done = sink->target == PL_LOG_SYSLOG ? write_syslog(sink, level, line, len) : write_line(sink, line, len);

	if (!done)
		sink->dropped++;
	return done;
}

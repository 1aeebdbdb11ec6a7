/* SPDX-License-Identifier: ISC */
/* The client of the control socket, for parlourctl: blocking, with a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core/addr.h"
#include "core/control.h"

#define PATIENCE_NS (10 * PL_NS_PER_S)
#define REPLY_MAX_BYTES ((size_t)16 << 20)

static bool refuse(char why[512], const char *what, const char *path)
{
	if (errno == ENOENT || errno == ECONNREFUSED)
		snprintf(why, 512, "no daemon listens on %s: is parlourd running?", path);
	else
		snprintf(why, 512, "%s: %s: %s", path, what, strerror(errno));
	return false;
}

static bool wait_for(int fd, short what, int64_t until_ns)
{
	int64_t left_ms = (until_ns - pl_now_ns()) / PL_NS_PER_MS;
	struct pollfd one = { .fd = fd, .events = what };

	if (left_ms > 0 && poll(&one, 1, (int)left_ms) > 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static bool send_line(int fd, const char *line, int64_t until_ns)
{
	char text[CONTROL_LINE_MAX];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (len < 0 || len >= (int)sizeof(text) || strchr(line, '\n') != NULL) {
		errno = EMSGSIZE;
		return false;
	}
	return wait_for(fd, POLLOUT, until_ns) && send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool read_all(int fd, struct pl_buf *reply, int64_t until_ns)
{
	ssize_t got = 0;

	do {
		if (reply->len > REPLY_MAX_BYTES || !wait_for(fd, POLLIN, until_ns))
			return false;
		got = recv(fd, pl_buf_room(reply, 4096), 4096, 0);
		if (got > 0)
			reply->len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got == 0;
}

/* The first line is the status; the rest is the answer. */
static bool judge(struct pl_buf *reply, char why[512])
{
	struct pl_str rest = pl_buf_str(reply), first;

	if (!pl_str_cut(&rest, '\n', &first) || rest.ptr == NULL) {
		snprintf(why, 512, "the daemon closed without an answer");
		return false;
	}
	if (pl_str_is(first, "ok")) {
		memmove(reply->ptr, rest.ptr, rest.len);
		reply->len = rest.len;
		reply->ptr[rest.len] = '\0';
		return true;
	}
	if (pl_str_starts(first, "error "))
		first = pl_strn(first.ptr + 6, first.len - 6);
	snprintf(why, 512, "%.*s", PL_FMT(first));
	return false;
}

bool control_ask(const char *socket_path, const char *line, struct pl_buf *reply, char why[512])
{
	int64_t until_ns = pl_now_ns() + PATIENCE_NS;
	char name[128], rule[128];
	struct addr addr;
	bool good;
	int fd;

	snprintf(name, sizeof(name), "unix:%.120s", socket_path);
	if (!addr_parse(name, &addr, rule)) {
		snprintf(why, 512, "control_socket: %s: %s", socket_path, rule);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(why, "socket", socket_path);
	good = connect(fd, (const struct sockaddr *)&addr.sa, addr.len) == 0 || refuse(why, "connect", socket_path);
	if (good)
		good = (send_line(fd, line, until_ns) && read_all(fd, reply, until_ns)) ||
		    refuse(why, "talk", socket_path);
	close(fd);
	return good && judge(reply, why);
}

/* SPDX-License-Identifier: ISC */
/*
 * systemd's notification protocol: one datagram per state to the socket that $NOTIFY_SOCKET names.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/proc.h"
#include "str.h"

static int notify_connect(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0';	/* an abstract address */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	close(fd);
	return -1;
}

void notify_send(const char *fmt, ...)
{
	char text[768];
	int fd = notify_connect();
	va_list args;
	int len;

	if (fd < 0)
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len > 0 && (size_t)len < sizeof(text) && send(fd, text, (size_t)len, MSG_NOSIGNAL) < 0)
		len = 0;	/* a notification that cannot be sent is not an error */
	close(fd);
}

int64_t notify_watchdog_ns(void)
{
	const char *period = getenv("WATCHDOG_USEC"), *whom = getenv("WATCHDOG_PID");
	int64_t period_us, pid;

	if (period == NULL || !pl_str_i64(pl_str(period), 1, INT64_MAX / 1000, &period_us))
		return 0;
	if (whom != NULL && (!pl_str_i64(pl_str(whom), 1, INT32_MAX, &pid) || pid != getpid()))
		return 0;
	return period_us * 1000 / 2;
}

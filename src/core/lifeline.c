/* SPDX-License-Identifier: ISC */
/*
 * Abstract unix sockets as signs of life. Source: unix(7).
 */
#include "core/lifeline.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int lifeline_take(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "parlour/%s", name);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)len)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool lifeline_held(const char *name)
{
	int fd = lifeline_take(name);

	if (fd < 0)
		return true;
	close(fd);
	return false;
}

/* SPDX-License-Identifier: ISC */
/* Abstract unix sockets that show whether a process lives. Source: unix(7). */
#include "core/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "leaf.h"

static bool read_boot(char boot_r[37])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, boot_r, 36) : -1;

	if (fd >= 0)
		close(fd);
	boot_r[got > 0 ? got : 0] = '\0';
	return got == 36;
}

void lifeline_place(char place_r[LIFELINE_PLACE_MAX])
{
	static const struct pl_sipkey key = { 0 };
	struct { char boot[40]; uint64_t device, inode; } seen = { 0 };
	char host[65] = "";
	struct stat net;
	uint64_t number;

	if (gethostname(host, sizeof(host) - 1) != 0)
		memcpy(host, "?", 2);
	if (read_boot(seen.boot) && stat("/proc/self/ns/net", &net) == 0) {
		seen.device = net.st_dev;
		seen.inode = net.st_ino;
		number = pl_siphash(&key, &seen, sizeof(seen));
	} else {
		number = pl_random_u64();
	}
	snprintf(place_r, LIFELINE_PLACE_MAX, "%s@%016llx", host, (unsigned long long)number);
}

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

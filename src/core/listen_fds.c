/* SPDX-License-Identifier: ISC */
/* Sockets from systemd. Source: sd_listen_fds(3). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/addr.h"
#include "core/listen.h"
#include "log.h"

#define FIRST_FD 3

static int number_of(const char *name, int64_t max)
{
	const char *text = getenv(name);
	int64_t number;

	return text != NULL && pl_str_i64(pl_str(text), 1, max, &number) ? (int)number : 0;
}

static bool is_listening(int fd, bool *is_unix_r)
{
	int type = 0, listening = 0, domain = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
		return false;
	len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
		return false;
	len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
		return false;
	*is_unix_r = domain == AF_UNIX;
	return true;
}

static bool take_one(struct listen_set *set, int fd, struct pl_str name, char why[512])
{
	struct listener *item = &set->items[set->count];
	int flags = fcntl(fd, F_GETFL);

	memset(item, 0, sizeof(*item));
	if (!is_listening(fd, &item->is_unix)) {
		snprintf(why, 512,
		    "LISTEN_FDS: descriptor %d (%.*s) is not a listening stream socket", fd, PL_FMT(name));
		return false;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		snprintf(why, 512, "LISTEN_FDS: descriptor %d: %s", fd, strerror(errno));
		return false;
	}
	item->fd = fd;
	item->operator_side = pl_str_is(name, "metrics");
	addr_text(fd, item->name);
	set->inherited = set->inherited || !item->operator_side;
	set->count++;
	return true;
}

bool listen_inherit(struct listen_set *set, char why[512])
{
	int count = number_of("LISTEN_FDS", LISTEN_MAX - 1);
	struct pl_str names = pl_str(getenv("LISTEN_FDNAMES")), name;
	bool good = true;

	memset(set, 0, sizeof(*set));
	if (number_of("LISTEN_PID", INT32_MAX) != getpid())
		count = 0;
	for (int i = 0; good && i < count; i++) {
		if (!pl_str_cut(&names, ':', &name))
			name = PL_STR("");
		good = take_one(set, FIRST_FD + i, name, why);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return good;
}

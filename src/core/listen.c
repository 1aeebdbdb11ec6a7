/* SPDX-License-Identifier: ISC */
/*
 * The listening sockets.
 */
#include "core/listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "core/addr.h"
#include "core/orphans.h"
#include "log.h"

#define BIND_PATIENCE_NS (5 * PL_NS_PER_S)
#define BIND_PAUSE_MS 100
#define STATUS_OSERR 71
#define STATUS_CANTCREAT 73
#define STATUS_NOPERM 77
#define STATUS_CONFIG 78

/* Checks whether a process accepts connections on the socket file. */
static bool unix_alive(const struct addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	alive = connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0 || errno == EAGAIN ||
	    errno == EINPROGRESS;
	close(fd);
	return alive;
}

/* Removes the socket file of a daemon that died. A file of another type is not removed. */
static bool unix_clear(const struct addr *addr)
{
	struct stat st;

	if (lstat(addr_path(addr), &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	if (unix_alive(addr)) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(addr_path(addr)) == 0 || errno == ENOENT;
}

static bool unix_bind(int fd, const struct addr *addr, mode_t mode, uid_t uid, gid_t gid)
{
	mode_t before;
	bool good;

	if (!unix_clear(addr))
		return false;
	before = umask((mode_t)(0777 & ~(mode & 0600)));	/* the file never has more permissions than it will
								 * have */
	good = bind(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0;
	umask(before);
	if (!good)
		return false;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(addr_path(addr), uid, gid) != 0) {
		int why = errno;

		unlink(addr_path(addr));
		errno = why;
		return false;
	}
	return chmod(addr_path(addr), mode) == 0;
}

static int fd_give_up(int fd)
{
	int why = errno;

	if (fd >= 0)
		close(fd);
	errno = why;
	return -1;
}

int listen_unix(const char *path, mode_t mode, uid_t uid, gid_t gid, int backlog)
{
	char name[128], rule[128];
	struct addr addr;
	int fd;

	snprintf(name, sizeof(name), "unix:%.110s", path);
	if (!addr_parse(name, &addr, rule)) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !unix_bind(fd, &addr, mode, uid, gid) || listen(fd, backlog) != 0)
		return fd_give_up(fd);
	return fd;
}

static int listen_tcp(const struct addr *addr, int backlog)
{
	int fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* accepted sockets inherit it: each writev is sent at once as one packet */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&addr->sa, addr->len) != 0 || listen(fd, backlog) != 0)
		return fd_give_up(fd);
	return fd;
}

static int group_find(const struct settings *s, gid_t *gid_r, char why[512])
{
	const struct group *group;

	*gid_r = (gid_t)-1;
	if (s->listen_unix_group[0] == '\0')
		return 0;
	group = getgrnam(s->listen_unix_group);
	if (group == NULL) {
		snprintf(why, 512, "listen_unix_group: there is no group %s", s->listen_unix_group);
		return STATUS_CONFIG;
	}
	*gid_r = group->gr_gid;
	return 0;
}

static int failed(const char *text, char why[512])
{
	int error = errno;

	if (error == EADDRINUSE)
		snprintf(why, 512, "listen: %s is in use by another program (ss -ltnp shows which)", text);
	else
		snprintf(why, 512, "listen: cannot bind %s: %s", text, strerror(error));
	if (error == EACCES || error == EPERM)
		return STATUS_NOPERM;
	if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
		return STATUS_CONFIG;
	return error == EMFILE || error == ENFILE || error == ENOMEM ? STATUS_OSERR : STATUS_CANTCREAT;
}

static void remember_file(struct listen_set *set, int i, const struct addr *addr)
{
	struct stat st;

	if (addr->is_unix && lstat(addr_path(addr), &st) == 0) {
		set->file[i].dev = st.st_dev;
		set->file[i].ino = st.st_ino;
	}
}

struct binding {
	CONFIG_BORROWED const struct settings *s;
	gid_t gid;
	bool (*give_up)(void *arg, int wait_ms);
	void *arg;
};

static int bind_once(const struct binding *b, const struct addr *addr)
{
	if (addr->is_unix)
		return listen_unix(addr_path(addr), (mode_t)b->s->listen_unix_mode, (uid_t)-1, b->gid,
		    (int)b->s->listen_backlog);
	return listen_tcp(addr, (int)b->s->listen_backlog);
}

/*
 * An address in use is reported at once, except while the workers of a daemon whose master was killed still end,
 * because they hold the address for a moment.
 */
static int bind_patiently(const struct binding *b, const struct addr *addr, const char *text)
{
	int64_t until_ns = pl_now_ns() + BIND_PATIENCE_NS;
	int fd = bind_once(b, addr);
	bool orphans = true, reported = false;

	while (fd < 0 && errno == EADDRINUSE && orphans && pl_now_ns() < until_ns) {
		orphans = orphans_live();
		if (orphans && !reported)
			pl_log(PL_LOG_WARN, NULL, "address in use by a daemon that is ending, trying again",
			    "addr=%s", text);
		reported = true;
		if (orphans && b->give_up(b->arg, BIND_PAUSE_MS)) {
			errno = EINTR;
			return -1;
		}
		fd = bind_once(b, addr);	/* try once more: the last orphan may have just ended */
	}
	return fd;
}

static int bind_one(struct listen_set *set, const struct binding *b, const char *text, bool operator_side,
    char why[512])
{
	struct listener *item = &set->items[set->count];
	struct addr addr;
	char rule[128];

	if (set->count >= LISTEN_MAX || !addr_parse(text, &addr, rule)) {
		snprintf(why, 512, "listen: %s: %s", text, set->count >= LISTEN_MAX ? "too many addresses" : rule);
		return STATUS_CONFIG;
	}
	item->fd = bind_patiently(b, &addr, text);
	if (item->fd < 0 && addr.is_unix && b->gid != (gid_t)-1 && (errno == EPERM || errno == EINVAL)) {
		snprintf(why, 512, "listen_unix_group: cannot give %s to group %s: parlourd must be a member of it, "
		    "or start as root; or let the proxy's user join the daemon's group (nginx-site.conf)", text,
		    b->s->listen_unix_group);
		return STATUS_NOPERM;
	}
	if (item->fd < 0)
		return failed(text, why);
	item->is_unix = addr.is_unix;
	item->operator_side = operator_side;
	addr_text(item->fd, item->name);
	remember_file(set, set->count, &addr);
	set->count++;
	pl_log(PL_LOG_INFO, NULL, "listening", "addr=%s side=%s", item->name, operator_side ? "operator" : "client");
	return 0;
}

static bool has_operator(const struct listen_set *set)
{
	for (int i = 0; i < set->count; i++)
		if (set->items[i].operator_side)
			return true;
	return false;
}

int listen_open(struct listen_set *set, const struct config *config, bool (*give_up)(void *arg, int wait_ms), void *arg,
    char why[512])
{
	struct binding b = { .s = &config->s, .give_up = give_up, .arg = arg };
	int status = group_find(b.s, &b.gid, why);

	for (int i = 0; status == 0 && !set->inherited && i < b.s->listen.count; i++)
		status = bind_one(set, &b, b.s->listen.items[i], false, why);
	if (status == 0 && b.s->metrics_listen[0] != '\0' && !has_operator(set))
		status = bind_one(set, &b, b.s->metrics_listen, true, why);
	return status;
}

static void file_remove(const struct listen_set *set, int i)
{
	const char *path = set->items[i].name + strlen("unix:");
	struct stat st;

	if (set->file[i].ino != 0 && lstat(path, &st) == 0 && st.st_ino == set->file[i].ino &&
	    st.st_dev == set->file[i].dev)
		unlink(path);
}

void listen_remove_files(const struct listen_set *set)
{
	for (int i = 0; i < set->count; i++)
		if (set->items[i].is_unix)
			file_remove(set, i);
}

void listen_close(struct listen_set *set, bool remove_files)
{
	if (remove_files)
		listen_remove_files(set);
	for (int i = 0; i < set->count; i++)
		close(set->items[i].fd);
	set->count = 0;
}

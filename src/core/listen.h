/* SPDX-License-Identifier: ISC */
/*
 * The listening sockets: opened once by the master, inherited by every worker, or handed over by systemd.
 */
#ifndef CORE_LISTEN_H
#define CORE_LISTEN_H

#include <sys/types.h>

#include "core/settings.h"
#include "core/worker.h"

#define LISTEN_MAX 32

struct listen_set {
	struct listener items[LISTEN_MAX];
	int count;
	bool inherited;			/* clients' sockets came from systemd */
	struct { dev_t dev; ino_t ino; } file[LISTEN_MAX];	/* our unix sockets, removed at the end */
};

/*
 * sd_listen_fds(3) by hand: sockets 3.. when LISTEN_PID is this process; the variables are removed. One called
 * "metrics" in LISTEN_FDNAMES becomes the operator's listener. Call it before anything else opens descriptors. false
 * and why[]: a descriptor is not a listening stream socket.
 */
bool listen_inherit(struct listen_set *set, char why[512]) PL_MUSTCHECK;
/*
 * Binds the addresses of the configuration that systemd did not pass. An address in use is an error at once, except
 * while the processes of a daemon whose master was killed are ending: then it is retried for 5 s. give_up(arg, ms)
 * waits for ms and returns true if the daemon must stop. Returns 0 or an exit status and why[].
 */
int listen_open(struct listen_set *set, const struct config *config, bool (*give_up)(void *arg, int wait_ms), void *arg,
    char why[512]) PL_MUSTCHECK;
/* Removes the files only; the sockets were closed elsewhere. */
void listen_remove_files(const struct listen_set *set);
/* Closes all; also removes the unix sockets' files if they are still ours. Children pass false. */
void listen_close(struct listen_set *set, bool remove_files);

/*
 * A bound and listening unix socket, non-blocking. A stale socket file is replaced; if a process listens on it, the
 * error is EADDRINUSE. gid (gid_t)-1: unchanged. -1 and errno.
 */
int listen_unix(const char *path, mode_t mode, uid_t uid, gid_t gid, int backlog) PL_MUSTCHECK;

#endif

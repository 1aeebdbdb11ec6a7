/* SPDX-License-Identifier: ISC */
/*
 * The channel between the master and each child: a pair of SOCK_SEQPACKET sockets, one message per packet.
 *
 * Neither end ever waits. If one process dies, the other end receives GONE.
 */
#ifndef CORE_CHANNEL_H
#define CORE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

enum channel_kind {
	CHANNEL_RELOAD = 1,	/* to the child, with a descriptor of config_pack() bytes; number = which reload */
	CHANNEL_DRAIN,		/* to the child: number = close code, deadline_ns, cut */
	CHANNEL_REOPEN,		/* to the child: open the log files again */
	CHANNEL_SLOT_DIED,	/* to the child: number = slot */
	CHANNEL_HASHER_DIED,	/* to the child: number = index */
	CHANNEL_UP,		/* to the master: start succeeded */
	CHANNEL_RELOADED,	/* to the master: number = that of the CHANNEL_RELOAD which took effect */
	CHANNEL_FAILED		/* to the master: text says why start failed */
};

struct channel_msg {
	int32_t kind, number;
	int64_t deadline_ns;
	int32_t cut, pad;
	char text[512];
};

enum channel_got { CHANNEL_MSG, CHANNEL_EMPTY, CHANNEL_GONE };

/* Both ends non-blocking and close-on-exec. false and errno. */
bool channel_pair(int fds_r[2]) PL_MUSTCHECK;
/* pass_fd -1: none. false: full (the reader hangs) or gone. */
bool channel_send(int fd, const struct channel_msg *msg, int pass_fd) PL_MUSTCHECK;
/* *pass_fd_r: -1 or a descriptor that now belongs to the caller. */
enum channel_got channel_recv(int fd, struct channel_msg *msg_r, int *pass_fd_r) PL_MUSTCHECK;

#endif

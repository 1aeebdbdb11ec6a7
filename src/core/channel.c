/* SPDX-License-Identifier: ISC */
/* The channel between the master and each of its children. */
#include "core/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool channel_pair(int fds_r[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_r) == 0;
}

bool channel_send(int fd, const struct channel_msg *msg, int pass_fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (pass_fd >= 0) {
		struct cmsghdr *head;

		memset(room, 0, sizeof(room));
		packet.msg_control = room;
		packet.msg_controllen = sizeof(room);
		head = CMSG_FIRSTHDR(&packet);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &pass_fd, sizeof(int));
	}
	do
		sent = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)sizeof(*msg);
}

static int passed_fd(struct msghdr *packet)
{
	int fd = -1;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(packet); head != NULL; head = CMSG_NXTHDR(packet, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
		    head->cmsg_len >= CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

enum channel_got channel_recv(int fd, struct channel_msg *msg_r, int *pass_fd_r)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = msg_r, .iov_len = sizeof(*msg_r) };
	struct msghdr packet = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room),
	};
	ssize_t got;

	*pass_fd_r = -1;
	do
		got = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return CHANNEL_EMPTY;
	if (got != (ssize_t)sizeof(*msg_r)) {
		int stray = got > 0 ? passed_fd(&packet) : -1;

		if (stray >= 0)
			close(stray);
		return CHANNEL_GONE;
	}
	*pass_fd_r = passed_fd(&packet);
	msg_r->text[sizeof(msg_r->text) - 1] = '\0';
	return CHANNEL_MSG;
}

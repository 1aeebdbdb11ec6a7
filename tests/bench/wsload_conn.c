/* SPDX-License-Identifier: ISC */
/*
 * One connection of wsload: connect, handshake, frames (RFC 6455, client side, no extensions), HTTP replies with
 * Content-Length, and streamed replies that are only searched for marks.
 */
#include "wsload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_MAX = 8192, READ_MAX = 262144, KEPT_MAX = 262144, MARK_MAX = 40 };

int conn_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || inet_pton(AF_INET, opt.host, &to.sin_addr) != 1)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect to port %d: %s", opt.port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static size_t put(char *out, size_t at, size_t room, const char *text)
{
	size_t bytes = strlen(text);

	if (at + bytes >= room)
		die("a text is too long");
	memcpy(out + at, text, bytes + 1);
	return at + bytes;
}

size_t conn_expand(const struct conn *conn, const char *text, char *out, size_t room)
{
	static long long number;	/* starts with the time, so that no later process repeats one */
	const char *room_name = opt.room_count > 0 ? opt.rooms[conn->index % opt.room_count] : "1";
	const char *token = opt.token_count > 0 ? opt.tokens[conn->index % opt.token_count] : "";
	char digits[32];
	size_t at = 0;

	if (number == 0)
		number = now_ns();
	out[0] = '\0';
	while (*text != '\0') {
		if (strncmp(text, "{room}", 6) == 0) {
			at = put(out, at, room, room_name);
			text += 6;
		} else if (strncmp(text, "{token}", 7) == 0) {
			at = put(out, at, room, token);
			text += 7;
		} else if (strncmp(text, "{n}", 3) == 0 || strncmp(text, "{i}", 3) == 0) {
			snprintf(digits, sizeof(digits), "%lld", text[1] == 'n' ? ++number : (long long)conn->index);
			at = put(out, at, room, digits);
			text += 3;
		} else if (strncmp(text, "{due}", 5) == 0) {
			snprintf(digits, sizeof(digits), "%lld", (long long)conn->sent_ns);
			at = put(out, at, room, digits);
			text += 5;
		} else {
			char one[2] = { *text++, '\0' };

			at = put(out, at, room, one);
		}
	}
	return at;
}

void conn_send(struct conn *conn, const char *data, size_t bytes)
{
	ssize_t sent = send(conn->fd, data, bytes, MSG_NOSIGNAL);

	if (sent == (ssize_t)bytes)
		return;
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		return;		/* the code that reads detects it */
	die("send of %zu bytes: %s", bytes, sent < 0 ? strerror(errno) : "the socket is full");
}

static void send_frame(struct conn *conn, int opcode, const char *text, size_t bytes)
{
	char frame[TEXT_MAX + 16];
	size_t at = 0;

	if (bytes > TEXT_MAX)
		die("a frame is too long");
	frame[at++] = (char)(0x80 | opcode);
	if (bytes < 126) {
		frame[at++] = (char)(0x80 | bytes);
	} else {
		frame[at++] = (char)(0x80 | 126);
		frame[at++] = (char)(bytes >> 8);
		frame[at++] = (char)bytes;
	}
	memset(frame + at, 0, 4);	/* a mask of zeros is valid */
	at += 4;
	memcpy(frame + at, text, bytes);
	conn_send(conn, frame, at + bytes);
}

void conn_send_text(struct conn *conn, const char *text, size_t bytes)
{
	send_frame(conn, 1, text, bytes);
}

void conn_upgrade(struct conn *conn, const char *path)
{
	char out[TEXT_MAX], head[TEXT_MAX];
	size_t bytes;

	snprintf(out, sizeof(out), "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n", path, opt.host,
	    opt.port, opt.native ? "Sec-WebSocket-Protocol: parlour.v1\r\n" : "",
	    opt.token_count > 0 ? "Authorization: Bearer {token}\r\n" : "");
	bytes = conn_expand(conn, out, head, sizeof(head));
	conn->is_ws = true;
	conn->stage = ST_HANDSHAKE;
	conn_send(conn, head, bytes);
}

void conn_post(struct conn *conn, const char *path, const char *body)
{
	char out[TEXT_MAX], text[TEXT_MAX], head[TEXT_MAX];
	size_t bytes = conn_expand(conn, body, text, sizeof(text));

	snprintf(out, sizeof(out), "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n%s"
	    "Content-Length: %zu\r\n\r\n", path, opt.host, opt.port,
	    opt.token_count > 0 ? "Authorization: Bearer {token}\r\n" : "", bytes);
	bytes = conn_expand(conn, out, head, sizeof(head));
	bytes = put(head, bytes, sizeof(head), text);
	conn_send(conn, head, bytes);
}

/* The frame is the same every time, so it is built once. */
void conn_get(struct conn *conn, const char *path)
{
	char out[TEXT_MAX], head[TEXT_MAX];

	if (conn->request == NULL) {
		snprintf(out, sizeof(out), "GET %s HTTP/1.1\r\nHost: %s:%d\r\n%s\r\n", path, opt.host, opt.port,
		    opt.token_count > 0 ? "Authorization: Bearer {token}\r\n" : "");
		conn->request_bytes = conn_expand(conn, out, head, sizeof(head));
		conn->request = strdup(head);
	}
	conn_send(conn, conn->request, conn->request_bytes);
}

/* Complete bytes of one frame at data, or 0. */
static size_t take_frame(struct conn *conn, const unsigned char *data, size_t bytes)
{
	size_t at = 2, length;

	if (bytes < 2)
		return 0;
	length = data[1] & 0x7f;
	if (length == 126) {
		if (bytes < 4)
			return 0;
		length = (size_t)data[2] << 8 | data[3];
		at = 4;
	} else if (length == 127) {
		if (bytes < 10)
			return 0;
		length = 0;
		for (int i = 2; i < 10; i++)
			length = length << 8 | data[i];
		at = 10;
	}
	if (bytes - at < length)
		return 0;
	switch (data[0] & 0xf) {
	case 1:
		mode.frame(conn, (const char *)data + at, length);
		break;
	case 8:
		conn->stage = ST_CLOSED;
		break;
	case 9:
		if (length < 126)
			send_frame(conn, 10, (const char *)data + at, length);
		break;
	}
	return at + length;
}

/* The header block of a reply, up to and with the empty line; 0: not complete. */
static size_t head_bytes(const char *data, size_t bytes)
{
	const char *end = memmem(data, bytes, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - data) + 4;
}

static size_t take_reply(struct conn *conn, const char *data, size_t bytes)
{
	size_t head = head_bytes(data, bytes), length = 0;

	if (head == 0)
		return 0;
	for (const char *at = data; at < data + head - 2;) {
		const char *line = (const char *)memmem(at, head - (size_t)(at - data), "\r\n", 2) + 2;

		if (strncasecmp(line, "content-length:", 15) == 0)
			length = (size_t)strtoul(line + 15, NULL, 10);
		at = line;
	}
	if (bytes - head < length)
		return 0;
	mode.reply(conn, atoi(data + 9));
	return head + length;
}

static size_t take_handshake(struct conn *conn, const char *data, size_t bytes)
{
	size_t head = head_bytes(data, bytes);

	if (head == 0)
		return 0;
	if (strncmp(data, "HTTP/1.1 101", 12) != 0)
		die("a handshake was refused: %.60s", data);
	conn->stage = opt.native ? ST_AUTHED : ST_HELLO;
	mode.frame(conn, "", 0);	/* to send what comes after the handshake */
	return head;
}

/*
 * Every stamp newer than the last one counts once, so a frame that repeats the text so far adds nothing. There is one
 * end per stream.
 */
static void find_marks(struct conn *conn, const char *data, size_t bytes)
{
	const char *end = data + bytes, *at = data;
	int64_t seen = now_ns();

	while ((at = memmem(at, (size_t)(end - at), "T=", 2)) != NULL) {
		char *stop;
		int64_t stamp = strtoll(at += 2, &stop, 10);

		if (stop >= end || *stop != ';' || stamp <= conn->last_mark)
			continue;
		conn->last_mark = stamp;
		mode.mark(conn, stamp, seen);
	}
	if (opt.over != NULL && conn->over_mark != conn->last_mark &&
	    memmem(data, bytes, opt.over, strlen(opt.over)) != NULL) {
		conn->over_mark = conn->last_mark;
		mode.over(conn, seen);
	}
}

static void keep(struct conn *conn, const char *data, size_t bytes)
{
	free(conn->kept);
	conn->kept = NULL;
	conn->kept_bytes = bytes;
	if (bytes == 0)
		return;
	if (bytes > KEPT_MAX)
		die("a frame or reply is too long");
	conn->kept = malloc(bytes);
	if (conn->kept == NULL)
		die("out of memory");
	memcpy(conn->kept, data, bytes);
}

static size_t take_one(struct conn *conn, char *data, size_t bytes)
{
	if (conn->is_ws && conn->stage == ST_HANDSHAKE)
		return take_handshake(conn, data, bytes);
	if (conn->is_ws)
		return take_frame(conn, (const unsigned char *)data, bytes);
	return take_reply(conn, data, bytes);
}

bool conn_read(struct conn *conn)
{
	static char buffer[KEPT_MAX + READ_MAX + 1];
	size_t bytes = conn->kept_bytes, at = 0, used;
	ssize_t got;

	if (bytes > 0)
		memcpy(buffer, conn->kept, bytes);
	got = recv(conn->fd, buffer + bytes, READ_MAX, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	totals.bytes += got;
	bytes += (size_t)got;
	buffer[bytes] = '\0';
	if (!conn->is_ws && !conn->is_pub) {
		find_marks(conn, buffer, bytes);
		keep(conn, buffer + (bytes > MARK_MAX ? bytes - MARK_MAX : 0), bytes > MARK_MAX ? MARK_MAX : bytes);
		return true;
	}
	if (opt.marks && !conn->is_pub && conn->stage == ST_READY)
		find_marks(conn, buffer, bytes);
	while (at < bytes && conn->stage != ST_CLOSED && (used = take_one(conn, buffer + at, bytes - at)) > 0)
		at += used;
	keep(conn, buffer + at, bytes - at);
	return conn->stage != ST_CLOSED;
}

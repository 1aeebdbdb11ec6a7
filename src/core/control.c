/* SPDX-License-Identifier: ISC */
/*
 * The control socket in the master: reads one line, writes one answer, and closes. No client can block the master: each
 * has CLIENT_PATIENCE_NS in all, their number is limited, and the sockets are non-blocking.
 */
#include "core/control.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "core/shm_parts.h"
#include "core/supervise.h"
#include "log.h"

#define CLIENT_PATIENCE_NS (5 * PL_NS_PER_S)
#define BACKLOG 16

struct client {
	int fd;				/* -1: free */
	int64_t until_ns;
	char line[CONTROL_LINE_MAX];
	size_t line_len, sent;
	bool answering;
	struct pl_buf out;
};

struct control {
	int fd;
	char path[108];
	dev_t dev;
	ino_t ino;
	struct client clients[CONTROL_CLIENTS];
};

static void verb_status(struct master *m, const char *arg, struct pl_buf *out)
{
	PL_UNUSED(arg);
	pl_buf_adds(out, "ok\n");
	status_render(m, out);
}

static void verb_reload(struct master *m, const char *arg, struct pl_buf *out)
{
	struct pl_buf kept = PL_BUF(NULL);
	char why[512];

	PL_UNUSED(arg);
	if (reload_run(m, &kept, why)) {
		pl_buf_adds(out, "ok\n");
		pl_buf_addstr(out, pl_buf_str(&kept));
	} else {
		pl_buf_addf(out, "error %s\n", why);
	}
	pl_buf_fini(&kept);
}

static void verb_why(struct master *m, const char *arg, struct pl_buf *out)
{
	if (arg[0] == '\0') {
		pl_buf_adds(out, "error why needs the id of a request\n");
		return;
	}
	pl_buf_adds(out, "ok\n");
	if (m->opts->render != NULL && m->opts->render(m->config, m->shm, "why", arg, out))
		return;
	pl_buf_reset(out);
	pl_buf_addf(out, "error unknown request: each worker keeps its last %u finished requests\n", SHM_TRACES);
}

static void verb_metrics(struct master *m, const char *arg, struct pl_buf *out)
{
	pl_buf_adds(out, "ok\n");
	if (m->opts->render != NULL)
		(void)m->opts->render(m->config, m->shm, "metrics", arg, out);
}

static void rates(struct master *m, const char *verb, const char *arg, struct pl_buf *out)
{
	pl_buf_adds(out, "ok\n");
	if (m->opts->render != NULL && m->opts->render(m->config, m->shm, verb, arg, out))
		return;
	pl_buf_reset(out);
	pl_buf_addf(out, "error %s needs CLASS USER KEY ADDRESS RATE, with - for what is absent\n", verb);
}

static void verb_rate(struct master *m, const char *arg, struct pl_buf *out)
{
	rates(m, "rate", arg, out);
}

static void verb_rate_reset(struct master *m, const char *arg, struct pl_buf *out)
{
	rates(m, "rate-reset", arg, out);
}

static void verb_reopen(struct master *m, const char *arg, struct pl_buf *out)
{
	PL_UNUSED(arg);
	reload_reopen(m);
	pl_buf_adds(out, "ok\n");
}

static void verb_stop(struct master *m, const char *arg, struct pl_buf *out)
{
	PL_UNUSED(arg);
	pl_buf_adds(out, "ok\nstopping\n");
	supervise_stop(m, true);
}

static void verb_version(struct master *m, const char *arg, struct pl_buf *out)
{
	PL_UNUSED(m);
	PL_UNUSED(arg);
	pl_buf_addf(out, "ok\nparlourd %s\n", status_version());
}

/* The id of the key that signs: the first one of the ring when all processes have it. */
static void verb_key(struct master *m, const char *arg, struct pl_buf *out)
{
	PL_UNUSED(arg);
	if (m->config->keys.count > 0)
		pl_buf_addf(out, "ok\n%s\n", pl_keyring_signer(&m->config->keys)->kid);
	else
		pl_buf_adds(out, "error there is no key\n");
}

static const struct {
	const char *name;
	void (*fn)(struct master *m, const char *arg, struct pl_buf *out);
} verbs[] = {
	{ "status", verb_status },
	{ "reload", verb_reload },
	{ "reopen", verb_reopen },
	{ "why", verb_why },
	{ "metrics", verb_metrics },
	{ "rate", verb_rate },
	{ "rate-reset", verb_rate_reset },
	{ "stop", verb_stop },
	{ "version", verb_version },
	{ "key", verb_key },
};

static void client_close(struct client *client)
{
	close(client->fd);
	pl_buf_fini(&client->out);
	*client = (struct client){ .fd = -1 };
}

static void answer(struct master *m, struct client *client)
{
	char *arg = strchr(client->line, ' ');

	client->answering = true;
	if (arg != NULL)
		*arg++ = '\0';
	for (size_t i = 0; i < PL_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, client->line) != 0)
			continue;
		verbs[i].fn(m, arg != NULL ? arg : "", &client->out);
		return;
	}
	pl_buf_adds(&client->out, "error unknown command; the commands are:");
	for (size_t i = 0; i < PL_COUNT(verbs); i++)
		pl_buf_addf(&client->out, " %s", verbs[i].name);
	pl_buf_addc(&client->out, '\n');
}

/* false: the client is done or failed. */
static bool client_read(struct master *m, struct client *client)
{
	ssize_t got = recv(client->fd, client->line + client->line_len, sizeof(client->line) - 1 - client->line_len,
	    MSG_DONTWAIT);
	char *end;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	client->line_len += (size_t)got;
	client->line[client->line_len] = '\0';
	end = strpbrk(client->line, "\r\n");
	if (end != NULL) {
		*end = '\0';
		answer(m, client);
	} else if (client->line_len == sizeof(client->line) - 1) {
		client->answering = true;
		pl_buf_addf(&client->out, "error the line is longer than %d bytes\n", CONTROL_LINE_MAX - 1);
	}
	return true;
}

static bool client_write(struct client *client)
{
	ssize_t sent = send(client->fd, client->out.ptr + client->sent, client->out.len - client->sent,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += (size_t)sent;
	return client->sent < client->out.len;
}

static void client_accept(struct control *control, int64_t now_ns)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd >= 0)
			continue;
		client->fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client->fd < 0)
			return;
		client->until_ns = now_ns + CLIENT_PATIENCE_NS;
	}
}

int control_polls(const struct control *control, struct pollfd *polls)
{
	int count = 0;
	bool room = false;

	if (control == NULL)
		return 0;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		const struct client *client = &control->clients[i];

		room = room || client->fd < 0;
		if (client->fd >= 0)
			polls[count++] = (struct pollfd){
				.fd = client->fd, .events = client->answering ? POLLOUT : POLLIN,
			};
	}
	if (room)	/* more clients wait in the kernel's queue */
		polls[count++] = (struct pollfd){ .fd = control->fd, .events = POLLIN };
	return count;
}

static bool is_ready(const struct pollfd *polls, int count, int fd)
{
	for (int i = 0; i < count; i++)
		if (polls[i].fd == fd)
			return polls[i].revents != 0;
	return false;
}

void control_run(struct master *m, const struct pollfd *polls, int count, int64_t now_ns)
{
	struct control *control = m->control;

	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];
		bool goes_on = true;

		if (client->fd < 0)
			continue;
		if (is_ready(polls, count, client->fd)) {
			if (!client->answering)
				goes_on = client_read(m, client);
			if (goes_on && client->answering)
				goes_on = client_write(client);
		}
		if (!goes_on || now_ns >= client->until_ns)
			client_close(client);
	}
	if (is_ready(polls, count, control->fd))
		client_accept(control, now_ns);
}

/* /run is empty after a boot. Only the last directory is created, so that a mistyped path does not create a tree. */
static void make_directory(const struct master *m, const char *path)
{
	char copy[128];
	const char *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) == 0 && m->priv.active && lchown(dir, m->priv.uid, m->priv.gid) != 0)
		pl_log(PL_LOG_WARN, NULL,
		    "cannot change the owner of a directory", "dir=%s why=%s", dir, strerror(errno));
}

int control_open(struct master *m, char why[512])
{
	struct control *control = pl_new(sizeof(*control));
	uid_t uid = m->priv.active ? m->priv.uid : (uid_t)-1;
	const char *path = m->config->s.control_socket;
	struct stat st;

	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	snprintf(control->path, sizeof(control->path), "%s", path);
	make_directory(m, path);
	control->fd = listen_unix(path, 0600, uid, (gid_t)-1, BACKLOG);
	if (control->fd < 0) {
		int error = errno;

		pl_free(control);
		snprintf(why, 512, "control_socket: %s: %s", path,
		    error == EADDRINUSE ? "another parlourd uses this socket" : strerror(error));
		return error == EACCES || error == EPERM ? STATUS_NOPERM : STATUS_CANTCREAT;
	}
	if (lstat(path, &st) == 0) {
		control->dev = st.st_dev;
		control->ino = st.st_ino;
	}
	m->control = control;
	return 0;
}

void control_close(struct master *m, bool remove_file)
{
	struct control *control = m->control;
	struct stat st;

	m->control = NULL;
	if (control == NULL)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0)
			client_close(&control->clients[i]);
	if (remove_file && lstat(control->path, &st) == 0 && st.st_ino == control->ino && st.st_dev == control->dev)
		unlink(control->path);
	close(control->fd);
	pl_free(control);
}

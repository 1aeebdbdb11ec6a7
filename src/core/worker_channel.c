/* SPDX-License-Identifier: ISC */
/* A worker's end of the channel: commands of the master, and what happens when the channel closes. */
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "core/hasher.h"
#include "core/proc.h"
#include "core/supervise.h"
#include "core/worker_loop.h"
#include "log.h"

#define ORPHAN_DRAIN_NS (7 * PL_NS_PER_S)

struct worker_channel {
	struct worker *worker;
	const struct app_hooks *hooks;
	struct event *event;
	int fd;
};

/* The master is dead. A new master needs the addresses now, and no process would replace or count this one. */
static void orphaned(struct worker_channel *channel)
{
	struct worker *worker = channel->worker;
	int64_t stop_ns = worker->config->s.stop_timeout * PL_NS_PER_MS;

	event_free(channel->event);
	channel->event = NULL;
	pl_log(PL_LOG_ERROR, NULL, "the master process has ended", NULL);
	worker_drain(worker, 1012, pl_now_ns() + (stop_ns < ORPHAN_DRAIN_NS ? stop_ns : ORPHAN_DRAIN_NS), true);
}

static void reload(struct worker_channel *channel, const struct channel_msg *msg, int fd)
{
	struct worker *worker = channel->worker;
	struct channel_msg reloaded = { .kind = CHANNEL_RELOADED };
	char why[512];
	struct config *fresh = reload_unpack(fd, why), *old = (struct config *)worker->config;

	if (fresh == NULL) {
		pl_log(PL_LOG_ERROR, NULL, "reload failed in this process", "why=%s", why);
		return;
	}
	if (!worker->single && !proc_log_open(fresh, why))
		pl_log(PL_LOG_WARN, NULL, "cannot open the new log file; the previous one stays in use", "why=%s", why);
	worker->config = fresh;
	if (worker->hasher != NULL)
		hasher_client_config(worker->hasher, fresh);
	if (channel->hooks->reload != NULL)
		channel->hooks->reload(worker, old);
	config_release(&old);
	reloaded.number = msg->number;
	if (channel->fd >= 0)
		(void)!channel_send(channel->fd, &reloaded, -1);	/* a dead master: on_channel() sees it */
}

static void obey(struct worker_channel *channel, const struct channel_msg *msg, int fd)
{
	struct worker *worker = channel->worker;

	switch ((enum channel_kind)msg->kind) {
	case CHANNEL_RELOAD:
		reload(channel, msg, fd);
		return;
	case CHANNEL_DRAIN:
		worker_drain(worker, msg->number, msg->deadline_ns, msg->cut != 0);
		break;
	case CHANNEL_REOPEN:
		pl_log_reopen();
		break;
	case CHANNEL_SLOT_DIED:
		if (channel->hooks->wake != NULL && msg->number != worker->slot)
			channel->hooks->wake(worker, WAKE_SLOT_DIED, msg->number);
		break;
	case CHANNEL_HASHER_DIED:
		if (worker->hasher != NULL)
			hasher_client_died(worker->hasher, msg->number);
		break;
	case CHANNEL_UP:
	case CHANNEL_RELOADED:
	case CHANNEL_FAILED:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct worker_channel *channel = arg;
	struct channel_msg msg;
	enum channel_got got;
	int passed;

	PL_UNUSED(what);
	while ((got = channel_recv((int)fd, &msg, &passed)) == CHANNEL_MSG)
		obey(channel, &msg, passed);
	if (got == CHANNEL_GONE)
		orphaned(channel);
}

struct worker_channel *worker_channel_new(struct worker *worker, const struct app_hooks *hooks, int fd)
{
	struct worker_channel *channel = pl_new(sizeof(*channel));

	channel->worker = worker;
	channel->hooks = hooks;
	channel->fd = fd;
	if (fd >= 0) {
		channel->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_channel, channel);
		PL_BUG(channel->event == NULL || event_add(channel->event, NULL) != 0);
	}
	return channel;
}

void worker_channel_say(struct worker_channel *channel, enum channel_kind kind, const char *text)
{
	struct channel_msg msg = { .kind = (int32_t)kind };

	snprintf(msg.text, sizeof(msg.text), "%s", text);
	if ((channel->fd < 0 || !channel_send(channel->fd, &msg, -1)) && kind == CHANNEL_FAILED)
		pl_log(PL_LOG_ERROR, NULL, "start failed", "why=%s", text);
}

void worker_channel_free(struct worker_channel **channel)
{
	struct worker_channel *gone = *channel;

	*channel = NULL;
	if (gone->event != NULL)
		event_free(gone->event);
	if (gone->fd >= 0)
		close(gone->fd);
	pl_free(gone);
}

/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of a worker and the code that starts it.
 */
#ifndef CORE_WORKER_LOOP_H
#define CORE_WORKER_LOOP_H

#include "core/channel.h"
#include "core/worker.h"

/* epoll with a changelist and without locks; messages of libevent go to the log. */
struct event_base *worker_base_new(void);

/* worker_channel.c: the master's messages. fd -1: there is no master. */
struct worker_channel;
struct worker_channel *worker_channel_new(struct worker *worker, const struct app_hooks *hooks, int fd);
void worker_channel_say(struct worker_channel *channel, enum channel_kind kind, const char *text);
void worker_channel_free(struct worker_channel **channel);

/* Starts to end this worker, or shortens its deadline; the listening sockets are closed two turns later. */
void worker_drain(struct worker *worker, int ws_close_code, int64_t deadline_ns, bool cut);

#endif

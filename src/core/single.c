/* SPDX-License-Identifier: ISC */
/*
 * -f -1: everything in one process, for debuggers and measurements.
 *
 * The worker is the same as always. Commands of the master reach it through a channel, whose other end is in this
 * process; signal events on the worker's loop write to it.
 */
#include <stdio.h>
#include <signal.h>
#include <unistd.h>

#include "clock.h"
#include "core/hasher.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "core/worker_loop.h"
#include "log.h"

#define SIGNALS_MAX 16

static struct single {
	struct master *m;
	int channel;			/* the master's end */
	bool stopping;
	struct worker worker;
	struct event *signals[SIGNALS_MAX];
} single;

/* The hooks of the three kinds of processes, in the order of their start. They stop in the reverse order. */
static const struct app_hooks *hooks_of(int i)
{
	const struct app_hooks *const all[] = { &single.m->opts->worker, &single.m->opts->clerk,
		&single.m->opts->courier };

	return all[i];
}

#define KINDS 3

static bool all_start(struct worker *worker, char why[512])
{
	for (int i = 0; i < KINDS; i++)
		if (hooks_of(i)->start != NULL && !hooks_of(i)->start(worker, why))
			return false;
	return true;
}

static void all_reload(struct worker *worker, const struct config *old)
{
	for (int i = 0; i < KINDS; i++)
		if (hooks_of(i)->reload != NULL)
			hooks_of(i)->reload(worker, old);
}

static void all_drain(struct worker *worker, int ws_close_code, bool cut)
{
	for (int i = 0; i < KINDS; i++)
		if (hooks_of(i)->drain != NULL)
			hooks_of(i)->drain(worker, ws_close_code, cut);
}

static bool all_idle(struct worker *worker)
{
	for (int i = 0; i < KINDS; i++)
		if (hooks_of(i)->idle != NULL && !hooks_of(i)->idle(worker))
			return false;
	return true;
}

static void all_stop(struct worker *worker)
{
	for (int i = KINDS - 1; i >= 0; i--)
		if (hooks_of(i)->stop != NULL)
			hooks_of(i)->stop(worker);
}

static void all_wake(struct worker *worker, enum wake why, int slot)
{
	for (int i = 0; i < KINDS; i++)
		if (hooks_of(i)->wake != NULL)
			hooks_of(i)->wake(worker, why, slot);
}

static const struct app_hooks all = {
	.start = all_start, .reload = all_reload, .drain = all_drain, .idle = all_idle, .stop = all_stop,
	.wake = all_wake,
};

static void tell(const struct channel_msg *msg, int fd)
{
	if (!channel_send(single.channel, msg, fd))
		pl_log(PL_LOG_ERROR, NULL, "the channel is full", NULL);
}

static void stop(bool hurried)
{
	const struct settings *s = &single.m->config->s;
	int64_t timeout_ms = hurried ? s->stop_timeout : s->drain_timeout;
	struct channel_msg msg = {
		.kind = CHANNEL_DRAIN, .number = hurried ? 1001 : 1012, .cut = hurried,
		.deadline_ns = pl_now_ns() + timeout_ms * PL_NS_PER_MS,
	};

	if (single.stopping && hurried)
		_exit(1);	/* the second request to stop ends the process at once */
	single.stopping = hurried;
	tell(&msg, -1);
}

static void reload(void)
{
	struct channel_msg msg = { .kind = CHANNEL_RELOAD };
	struct master *m = single.m;
	struct pl_buf kept = PL_BUF(NULL);
	char why[512];
	struct config *fresh = reload_read(m->config_named ? m->config_path : NULL, m->opts, m->config, &kept, why);
	int fd;

	if (fresh != NULL)
		fresh->keys.sign = 0;	/* no other process has to know a new key first */
	fd = fresh != NULL ? reload_pack(fresh) : -1;
	pl_buf_fini(&kept);
	if (fresh == NULL || fd < 0 || !proc_log_open(fresh, why)) {
		pl_log(PL_LOG_ERROR, NULL, "reload refused; the old configuration stays in effect", "why=%s", why);
		config_release(&fresh);
	} else {
		config_release(&m->config);
		m->config = fresh;
		tell(&msg, fd);
	}
	if (fd >= 0)
		close(fd);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	const struct signal_row *row = signals_find((int)number);
	struct channel_msg reopen = { .kind = CHANNEL_REOPEN };

	PL_UNUSED(what);
	PL_UNUSED(arg);
	pl_log(PL_LOG_INFO, NULL, "signal", "name=%s", row->name);
	if (row->act == SIGNAL_STOP || row->act == SIGNAL_DRAIN)
		stop(row->act == SIGNAL_STOP);
	else if (row->act == SIGNAL_RELOAD)
		reload();
	else if (row->act == SIGNAL_REOPEN)
		tell(&reopen, -1);
	else
		pl_log(PL_LOG_WARN, NULL, "one process: nothing to do", "signal=%s", row->name);
}

/* Handles signals by events instead of the descriptor, because now there is a loop. */
static void take_signals(struct event_base *base)
{
	signals_child();
	for (size_t i = 0; i < signals_count && i < SIGNALS_MAX; i++) {
		if (signals_table[i].act == SIGNAL_CHILD)
			continue;
		single.signals[i] = evsignal_new(base, signals_table[i].number, on_signal, NULL);
		PL_BUG(single.signals[i] == NULL || evsignal_add(single.signals[i], NULL) != 0);
	}
}

static void drop_signals(void)
{
	for (size_t i = 0; i < PL_COUNT(single.signals); i++)
		if (single.signals[i] != NULL)
			event_free(single.signals[i]);
}

/* worker_run() frees the base before it returns, so the signals are removed together with the application. */
static void single_stop(struct worker *worker)
{
	all_stop(worker);
	drop_signals();
}

int single_run(struct master *m)
{
	struct app_hooks hooks = all;
	struct worker *worker = &single.worker;
	int ends[2], status;

	single.m = m;
	proc_name("single", -1);
	control_close(m, true);
	if (!channel_pair(ends) || !priv_drop(&m->priv, m->why)) {
		pl_log(PL_LOG_ERROR, NULL, "not started", "why=%s", m->why);
		return STATUS_NOPERM;
	}
	single.channel = ends[0];
	shm_take_slot(m->shm, 0);
	*worker = (struct worker){
		.kind = PROC_WORKER, .single = true, .base = worker_base_new(), .shm = m->shm,
		.config = config_hold(m->config), .listeners = m->listen.items, .listeners_count = m->listen.count,
		.generation = atomic_load(&m->shm->scores[0].generation),
	};
	worker->hasher = hasher_client_new(worker->base, NULL, 0, worker->generation);
	take_signals(worker->base);
	hooks.stop = single_stop;
	pl_log(PL_LOG_INFO, NULL, "starting", "version=%s processes=1", status_version());
	status = worker_run(worker, &hooks, ends[1]);
	close(ends[0]);
	listen_remove_files(&m->listen);
	m->listen.count = 0;	/* the worker has closed them */
	pl_log(PL_LOG_INFO, NULL, "stopped", "status=%d", status);
	return status;
}

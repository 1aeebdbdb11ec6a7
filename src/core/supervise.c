/* SPDX-License-Identifier: ISC */
/*
 * Periodic work and commands of the master: watches and replaces processes, changes the number of workers, and stops.
 */
#include "core/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define START_PATIENCE_NS (30 * PL_NS_PER_S)	/* the watchdog's limit for a process that still starts */
#define STOP_GRACE_NS (3 * PL_NS_PER_S)		/* in addition to the deadline of the child */
#define OWN_GAP_NS (2 * PL_NS_PER_S)		/* the master itself did not run: no process is judged */

static bool has_slot(const struct child *child)
{
	return child->kind != PROC_HASHER;
}

static int workers_wanted(const struct master *m)
{
	int count = 0;

	for (int i = 0; i < m->workers_max; i++)
		count += m->children[i].wanted;
	return count;
}

/* Each process shows that it is alive: workers, clerk, and courier by turns of their loop, a hasher by its beat. */
static void watch(struct master *m, struct child *child, int64_t now_ns)
{
	int64_t turned_ns = has_slot(child) ? atomic_load(&m->shm->scores[child->index].last_turn_ns) :
	    atomic_load(&m->shm->beats[child->index].alive_ns);
	int64_t patience_ns = m->config->s.watchdog * PL_NS_PER_MS;

	if (turned_ns < child->started_ns)
		turned_ns = child->started_ns;
	if (!child->up && patience_ns < START_PATIENCE_NS)
		patience_ns = START_PATIENCE_NS;
	if (now_ns - turned_ns > patience_ns && now_ns >= m->patient_until_ns)
		child_kill(child, child->up ? "it does not respond" : "its start takes too long");
}

static void tick_child(struct master *m, struct child *child, int64_t now_ns)
{
	if (child->pid == 0) {
		if (child->wanted && m->phase != MASTER_STOPPING && now_ns >= child->again_ns)
			child_spawn(m, child);
		return;
	}
	if (child->kill_ns != 0 && now_ns >= child->kill_ns)
		child_kill(child, "it did not end in time");
	else
		watch(m, child, now_ns);
}

/* true: each worker is ready, or failed to start while another one is ready. */
static bool all_started(const struct master *m)
{
	for (int i = 0; i < m->workers_max; i++)
		if (m->children[i].wanted && !m->children[i].up && m->children[i].backoff_s == 0)
			return false;
	return m->ever_up;
}

/* The daemon's parent reads this: an int, then a sentence. */
static void tell_parent(struct master *m)
{
	int good = 0;

	if (m->ready_fd < 0)
		return;
	if (write(m->ready_fd, &good, sizeof(good)) != (ssize_t)sizeof(good) || !proc_null_stdio(true))
		pl_log(PL_LOG_WARN, NULL, "the process that started the daemon has ended", NULL);
	close(m->ready_fd);
	m->ready_fd = -1;
}

static void become_ready(struct master *m, int64_t now_ns)
{
	m->phase = MASTER_RUNNING;
	pl_log(PL_LOG_INFO, NULL, "ready", "workers=%d start_ms=%lld", workers_wanted(m),
	    (long long)((now_ns - m->started_ns) / PL_NS_PER_MS));
	notify_send("READY=1\nMAINPID=%d\nSTATUS=%d workers", (int)getpid(), workers_wanted(m));
	tell_parent(m);
}

void supervise_tick(struct master *m, int64_t now_ns)
{
	int64_t watchdog_ns = notify_watchdog_ns();

	if (m->ticked_ns != 0 && now_ns - m->ticked_ns > OWN_GAP_NS)
		m->patient_until_ns = now_ns + m->config->s.watchdog * PL_NS_PER_MS;
	m->ticked_ns = now_ns;
	shm_count_dropped(&m->shm->beats[SHM_BEAT_MASTER].log_dropped);
	for (int i = 0; i < m->children_count; i++)
		tick_child(m, &m->children[i], now_ns);
	reload_keys(m);
	if (m->phase == MASTER_STARTING && all_started(m))
		become_ready(m, now_ns);
	if (watchdog_ns > 0 && now_ns - m->notified_ns >= watchdog_ns) {
		m->notified_ns = now_ns;
		notify_send("WATCHDOG=1");
	}
}

void supervise_channel(struct master *m, struct child *child)
{
	struct channel_msg msg;
	enum channel_got got = CHANNEL_GONE;
	int stray;

	while (child->channel >= 0 && (got = channel_recv(child->channel, &msg, &stray)) == CHANNEL_MSG) {
		if (stray >= 0)
			close(stray);	/* children send no descriptors */
		if (msg.kind == CHANNEL_UP) {
			child->up = true;
			m->ever_up = m->ever_up || child->kind == PROC_WORKER;
		} else if (msg.kind == CHANNEL_RELOADED) {
			child->reload = msg.number;
		} else if (msg.kind == CHANNEL_FAILED) {
			snprintf(m->why, sizeof(m->why), "%s", msg.text);
			pl_log(PL_LOG_ERROR, NULL, "a process could not start", "what=%s number=%d why=%s",
			    child_what(child), child->index, msg.text);
		}
	}
	if (child->channel >= 0 && got == CHANNEL_GONE) {
		close(child->channel);
		child->channel = -1;
	}
}

void supervise_more(struct master *m)
{
	int wanted = workers_wanted(m);

	if (m->phase == MASTER_STOPPING)
		return;
	if (SETTINGS_DB_HELD(wanted + 1) > m->config->s.db_connections) {
		pl_log(PL_LOG_WARN, NULL, "worker limit reached", "why=%s db_connections=%lld",
		    "db_connections is too low for another worker", (long long)m->config->s.db_connections);
		return;
	}
	for (int i = 0; i < m->workers_max; i++) {
		struct child *child = &m->children[i];

		if (child->wanted || child->pid != 0)
			continue;
		child->wanted = true;
		child->backoff_s = 0;
		child->again_ns = 0;
		pl_log(PL_LOG_INFO, NULL, "worker added", "workers=%d", wanted + 1);
		return;
	}
	pl_log(PL_LOG_WARN, NULL, "worker limit reached", "why=%s max_workers=%d", "all slots are taken",
	    m->workers_max);
}

static void drain(struct master *m, struct child *child, int code, int64_t timeout_ms, bool cut)
{
	int64_t deadline_ns = pl_now_ns() + timeout_ms * PL_NS_PER_MS;
	struct channel_msg msg = { .kind = CHANNEL_DRAIN, .number = code, .deadline_ns = deadline_ns, .cut = cut };

	child->wanted = false;
	child->drained = true;
	if (child->pid == 0)
		return;
	child->kill_ns = deadline_ns + STOP_GRACE_NS;
	child_tell(m, child, &msg, -1);
}

void supervise_less(struct master *m)
{
	struct child *newest = NULL;

	if (m->phase == MASTER_STOPPING)
		return;
	for (int i = 0; i < m->workers_max; i++)
		if (m->children[i].wanted && (newest == NULL || m->children[i].started_ns > newest->started_ns))
			newest = &m->children[i];
	if (newest == NULL || workers_wanted(m) <= 1) {
		pl_log(PL_LOG_WARN, NULL, "worker not removed", "why=%s", "it is the last one");
		return;
	}
	drain(m, newest, 1012, m->config->s.drain_timeout, false);
	pl_log(PL_LOG_INFO, NULL, "worker is being removed", "slot=%d workers=%d", newest->index, workers_wanted(m));
}

static void kill_all(struct master *m)
{
	pl_log(PL_LOG_WARN, NULL, "stopping at once", NULL);
	for (int i = 0; i < m->children_count; i++)
		if (m->children[i].pid > 0)
			kill(m->children[i].pid, SIGKILL);
	if (m->status == 0)
		m->status = 1;
}

void supervise_stop(struct master *m, bool hurried)
{
	const struct settings *s = &m->config->s;

	if (m->phase == MASTER_STOPPING && m->hurried && hurried)
		kill_all(m);
	if (m->phase == MASTER_STOPPING && (m->hurried || !hurried))
		return;
	pl_log(PL_LOG_INFO, NULL, "stopping", "how=%s", hurried ? "stop" : "drain");
	if (m->phase != MASTER_STOPPING) {
		notify_send("STOPPING=1\nSTATUS=%s", hurried ? "stopping" : "draining");
		listen_close(&m->listen, true);
	}
	m->phase = MASTER_STOPPING;
	m->hurried = hurried;
	for (int i = 0; i < m->children_count; i++)
		if (has_slot(&m->children[i]))
			drain(m, &m->children[i], hurried ? 1001 : 1012, hurried ? s->stop_timeout : s->drain_timeout,
			    hurried);
}

/* Hashers end last, when no other process can need them. */
void supervise_check_end(struct master *m)
{
	bool served = false, alive = false;

	if (m->phase != MASTER_STOPPING)
		return;
	for (int i = 0; i < m->children_count; i++) {
		served = served || (has_slot(&m->children[i]) && m->children[i].pid > 0);
		alive = alive || m->children[i].pid > 0;
	}
	for (int i = 0; !served && i < m->children_count; i++)
		if (!has_slot(&m->children[i]) && !m->children[i].drained)
			drain(m, &m->children[i], 0, 0, true);
	m->done = !alive;
}

/* SPDX-License-Identifier: ISC */
/*
 * Child processes: forks them, sends them messages, reaps them, and forks them again.
 *
 * A child that ran for a second or more is replaced at once. One that died sooner is replaced after 1, 2, 4 ... 30 s.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core/hasher.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "core/worker_loop.h"
#include "log.h"

#define RAN_ENOUGH_NS PL_NS_PER_S
#define BACKOFF_MAX_S 30
#define FAILURES_MAX 3		/* before any worker was ready: a systematic error */

void children_init(struct master *m)
{
	struct child *child = m->children;

	m->workers_max = (int)m->config->s.max_workers;
	m->hashers = (int)m->config->s.hashers;
	for (int i = 0; i < m->workers_max; i++)
		*child++ = (struct child){
			.kind = PROC_WORKER, .index = i, .channel = -1, .wanted = i < m->config->s.workers,
		};
	*child++ = (struct child){ .kind = PROC_CLERK, .index = m->workers_max, .channel = -1, .wanted = true };
	*child++ = (struct child){ .kind = PROC_COURIER, .index = m->workers_max + 1, .channel = -1, .wanted = true };
	for (int i = 0; i < m->hashers; i++)
		*child++ = (struct child){ .kind = PROC_HASHER, .index = i, .channel = -1, .wanted = true };
	m->children_count = (int)(child - m->children);
}

bool pairs_make(struct master *m, char why[512])
{
	int count = m->workers_max * m->hashers;

	m->pairs = pl_new((size_t)count * sizeof(*m->pairs));
	for (int i = 0; i < count; i++)
		m->pairs[i][0] = m->pairs[i][1] = -1;
	for (int i = 0; i < count; i++) {
		if (channel_pair(m->pairs[i]))
			continue;
		snprintf(why, 512,
		    "cannot create sockets for %d workers and %d hashers: %s (raise the open-file limit or lower "
		    "max_workers)",
		    m->workers_max, m->hashers, strerror(errno));
		return false;
	}
	return true;
}

const char *child_what(const struct child *child)
{
	switch (child->kind) {
	case PROC_WORKER:
		return "worker";
	case PROC_HASHER:
		return "hasher";
	case PROC_CLERK:
		return "clerk";
	case PROC_COURIER:
		return "courier";
	case PROC_MASTER:
		break;
	}
	return "master";
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

pid_t child_fork(struct master *m)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	signals_child();
	close_if(&m->signal_fd);
	close_if(&m->ready_fd);
	close_if(&m->pidfile.fd);
	control_close(m, false);
	for (int i = 0; i < m->children_count; i++)
		close_if(&m->children[i].channel);
	return 0;
}

/* Keeps this side's ends of one worker's slot (side 0) or of one hasher (side 1). */
static int pairs_keep(struct master *m, int side, int index, int *fds_r)
{
	int kept = 0;

	for (int i = 0; i < m->workers_max * m->hashers; i++) {
		bool mine = (side == 0 ? i / m->hashers : i % m->hashers) == index;

		close_if(&m->pairs[i][1 - side]);
		if (mine)
			fds_r[kept++] = m->pairs[i][side];
		else
			close_if(&m->pairs[i][side]);
	}
	pl_free(m->pairs);
	m->pairs = NULL;
	return kept;
}

static int say_failed(int channel, int status, const char *why)
{
	struct channel_msg msg = { .kind = CHANNEL_FAILED };

	snprintf(msg.text, sizeof(msg.text), "%s", why);
	if (!channel_send(channel, &msg, -1))
		pl_log(PL_LOG_ERROR, NULL, "start failed", "why=%s", why);
	return status;
}

static int hasher_main(struct master *m, const struct child *child, int channel)
{
	int fds[64];
	int count = pairs_keep(m, 1, child->index, fds);

	listen_close(&m->listen, false);
	return hasher_run(fds, count, channel, shm_leave(&m->shm, child->index));
}

static int worker_main(struct master *m, const struct child *child, int channel)
{
	bool serves = child->kind == PROC_WORKER;
	const struct app_hooks *hooks = serves ? &m->opts->worker :
	    child->kind == PROC_CLERK ? &m->opts->clerk : &m->opts->courier;
	struct worker worker = {
		.kind = child->kind, .slot = child->index, .shm = m->shm, .config = m->config,
		.base = worker_base_new(),
	};
	int fds[SHM_HASHERS_MAX];
	int count = pairs_keep(m, 0, serves ? child->index : -1, fds);

	if (!serves)
		listen_close(&m->listen, false);
	worker.listeners = m->listen.items;
	worker.listeners_count = m->listen.count;
	shm_take_slot(m->shm, child->index);
	worker.generation = atomic_load(&m->shm->scores[child->index].generation);
	if (serves)
		worker.hasher = hasher_client_new(worker.base, fds, count, worker.generation);
	return worker_run(&worker, hooks, channel);
}

static PL_NORETURN void child_main(struct master *m, const struct child *child, int channel, pid_t master)
{
	char why[512];
	int status;

	proc_name(child_what(child), child->kind == PROC_WORKER || child->kind == PROC_HASHER ? child->index : -1);
	proc_hide_memory();
	if (!m->opts->foreground && !proc_null_stdio(true))
		status = say_failed(channel, STATUS_OSERR, "/dev/null cannot be opened");
	else if (!priv_drop(&m->priv, why))
		status = say_failed(channel, STATUS_NOPERM, why);
	else if (!proc_follow(master))	/* after the change of user, which would undo it */
		status = STATUS_OSERR;
	else
		status = child->kind == PROC_HASHER ? hasher_main(m, child, channel) : worker_main(m, child, channel);
	exit(status);
}

static void backoff(struct child *child, int64_t now_ns)
{
	if (child->backoff_s == 0)
		child->backoff_s = 1;
	else if (child->backoff_s < BACKOFF_MAX_S)
		child->backoff_s = child->backoff_s * 2 < BACKOFF_MAX_S ? child->backoff_s * 2 : BACKOFF_MAX_S;
	child->again_ns = now_ns + child->backoff_s * PL_NS_PER_S;
}

/* The slot's generation changes before the new process can write to it. */
static void slot_prepare(struct master *m, const struct child *child)
{
	_Atomic uint32_t *generation;

	if (child->kind == PROC_HASHER)
		return;
	generation = &m->shm->scores[child->index].generation;
	if (atomic_fetch_add(generation, 1) == UINT32_MAX)
		atomic_store(generation, 1);
}

void child_spawn(struct master *m, struct child *child)
{
	int64_t now_ns = pl_now_ns();
	int ends[2];
	pid_t pid, master = getpid();

	if (!channel_pair(ends)) {
		pl_log(PL_LOG_ERROR, NULL, "cannot start a process", "what=%s why=%s", child_what(child),
		    strerror(errno));
		backoff(child, now_ns);
		return;
	}
	slot_prepare(m, child);
	pid = child_fork(m);
	if (pid == 0) {
		close(ends[0]);
		child_main(m, child, ends[1], master);
	}
	close(ends[1]);
	if (pid < 0) {
		pl_log(PL_LOG_ERROR, NULL, "cannot start a process", "what=%s why=%s", child_what(child),
		    strerror(errno));
		close(ends[0]);
		backoff(child, now_ns);
		return;
	}
	child->pid = pid;
	child->channel = ends[0];
	child->started_ns = now_ns;
	child->reload = m->reload;
	child->kill_ns = 0;
	child->up = false;
	child->drained = false;
	pl_log(PL_LOG_INFO, NULL, "process started", "what=%s number=%d child=%d", child_what(child), child->index,
	    (int)pid);
}

void child_kill(struct child *child, const char *why)
{
	pl_log(PL_LOG_ERROR, NULL, "killing a process", "what=%s number=%d child=%d why=%s", child_what(child),
	    child->index, (int)child->pid, why);
	kill(child->pid, SIGKILL);
	child->kill_ns = 0;
}

void child_tell(struct master *m, struct child *child, const struct channel_msg *msg, int pass_fd)
{
	PL_UNUSED(m);
	if (child->pid > 0 && child->channel >= 0 && !channel_send(child->channel, msg, pass_fd) && errno == EAGAIN)
		child_kill(child, "it does not read messages from the master");
}

void children_tell(struct master *m, const struct channel_msg *msg, int pass_fd)
{
	for (int i = 0; i < m->children_count; i++)
		child_tell(m, &m->children[i], msg, pass_fd);
}

/* Drops jobs and answers of a dead process. The master holds both ends, so it can read them. */
static void pair_drain(const int pair[2])
{
	char drop[16];

	for (int side = 0; side < 2; side++)
		while (recv(pair[side], drop, sizeof(drop), MSG_DONTWAIT | MSG_TRUNC) > 0)
			;
}

static void mourn(struct master *m, const struct child *child)
{
	struct channel_msg msg = { .kind = CHANNEL_SLOT_DIED, .number = child->index };

	for (int i = 0; i < m->workers_max * m->hashers; i++)
		if (child->kind == PROC_HASHER ? i % m->hashers == child->index :
		    child->kind == PROC_WORKER && i / m->hashers == child->index)
			pair_drain(m->pairs[i]);
	if (child->kind == PROC_HASHER)
		msg.kind = CHANNEL_HASHER_DIED;
	else
		shm_slot_died(m->shm, child->index);
	children_tell(m, &msg, -1);
}

static void describe_end(int how, char out[48])
{
	if (WIFSIGNALED(how))
		snprintf(out, 48, "signal %d", WTERMSIG(how));
	else
		snprintf(out, 48, "exit status %d", WEXITSTATUS(how));
}

/* No worker was ever ready: the daemon cannot work, and exits with the reason of the worker. */
static void count_failure(struct master *m, const struct child *child, int how, const char *end)
{
	if (m->ever_up || child->kind != PROC_WORKER || m->phase == MASTER_STOPPING || ++m->failures < FAILURES_MAX)
		return;
	if (m->why[0] == '\0')
		snprintf(m->why, sizeof(m->why), "no worker ever started; the last one ended with %s", end);
	m->status = WIFEXITED(how) && WEXITSTATUS(how) != 0 ? WEXITSTATUS(how) : STATUS_OSERR;
	pl_log(PL_LOG_ERROR, NULL, "giving up: no worker ever started", "why=%s", m->why);
	supervise_stop(m, true);
}

static void bury(struct master *m, struct child *child, int how)
{
	int64_t now_ns = pl_now_ns(), ran_ns = now_ns - child->started_ns;
	bool expected = child->drained && WIFEXITED(how) && WEXITSTATUS(how) == 0;
	char end[48];

	describe_end(how, end);
	supervise_channel(m, child);	/* its last messages */
	close_if(&child->channel);
	pl_log(expected ? PL_LOG_INFO : PL_LOG_ERROR, NULL, expected ? "process ended" : "process died",
	    "what=%s number=%d child=%d end=%s ran_ms=%lld", child_what(child), child->index, (int)child->pid, end,
	    (long long)(ran_ns / PL_NS_PER_MS));
	child->pid = 0;
	child->kill_ns = 0;
	mourn(m, child);
	if (!child->wanted || m->phase == MASTER_STOPPING)
		return;
	if (ran_ns >= RAN_ENOUGH_NS) {
		child->backoff_s = 0;
		child->again_ns = 0;
	} else {
		backoff(child, now_ns);
		pl_log(PL_LOG_WARN, NULL, "waiting before the next start", "what=%s number=%d wait_s=%d",
		    child_what(child), child->index, child->backoff_s);
	}
	if (!child->up)
		count_failure(m, child, how, end);
}

void children_reap(struct master *m)
{
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		for (int i = 0; i < m->children_count; i++)
			if (m->children[i].pid == pid)
				bury(m, &m->children[i], how);
}

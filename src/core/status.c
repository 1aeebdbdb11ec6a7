/* SPDX-License-Identifier: ISC */
/* The output of `parlourctl status`: the master, then a line per process. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core/shm_parts.h"
#include "core/shm_stats.h"
#include "core/supervise.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

const char *status_version(void)
{
	return PACKAGE_VERSION;
}

/* Resident memory without shared memory; -1: unknown. Source: proc(5), statm. */
static long resident_kb(pid_t pid)
{
	char path[48], text[128];
	long size, resident, shared;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	if (sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3)
		return -1;
	return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024);
}

static void uptime_text(int64_t ns, char out[32])
{
	long s = (long)(ns / PL_NS_PER_S);

	if (s >= 86400)
		snprintf(out, 32, "%ldd%02ldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(out, 32, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, 32, "%ldm%02lds", s / 60, s % 60);
}

static const char *state_of(const struct master *m, const struct child *child)
{
	static const char *const words[] = {
		[SHM_FREE] = "starting", [SHM_STARTING] = "starting", [SHM_RUNNING] = "running",
		[SHM_DRAINING] = "draining",
	};
	int state;

	if (child->pid == 0)
		return "waiting";
	if (child->kind == PROC_HASHER)
		return child->drained ? "draining" : "running";
	state = atomic_load(&m->shm->scores[child->index].state);
	return state >= 0 && state < (int)PL_COUNT(words) ? words[state] : "?";
}

static void add_child(const struct master *m, const struct child *child, int64_t now_ns, struct pl_buf *out)
{
	const struct shm_score *score = child->kind == PROC_HASHER ? NULL : &m->shm->scores[child->index];
	char up[32];

	uptime_text(child->pid > 0 ? now_ns - child->started_ns : 0, up);
	pl_buf_addf(out, "%-7s %4d %8d %-9s %9s", child_what(child), child->index, (int)child->pid, state_of(m, child),
	    up);
	if (score == NULL)
		pl_buf_addf(out, " %8s %10s %9ld %9lld\n", "-", "-", child->pid > 0 ? resident_kb(child->pid) : 0,
		    (long long)(child->pid > 0 ? (now_ns - atomic_load(&m->shm->beats[child->index].alive_ns)) /
		    PL_NS_PER_MS : 0));
	else
		pl_buf_addf(out, " %8lld %10lld %9ld %9lld\n", (long long)atomic_load(&score->sockets),
		    (long long)shm_requests(m->shm, child->index),
		    child->pid > 0 ? resident_kb(child->pid) : 0,
		    (long long)(child->pid > 0 ? (now_ns - atomic_load(&score->last_turn_ns)) / PL_NS_PER_MS : 0));
}

void status_render(const struct master *m, struct pl_buf *out)
{
	static const char *const phases[] = {
		[MASTER_STARTING] = "starting", [MASTER_RUNNING] = "running", [MASTER_STOPPING] = "stopping",
	};
	struct shm_text_use texts = shm_text_use(m->shm);
	int64_t now_ns = pl_now_ns();
	char up[32];

	uptime_text(now_ns - m->started_ns, up);
	pl_buf_addf(out, "parlourd %s, %s, pid %d, up %s\n", status_version(), phases[m->phase], (int)getpid(), up);
	pl_buf_addf(out, "configuration: %s, version %llu\n", m->config_named ? m->config_path : "(no file)",
	    (unsigned long long)atomic_load(&m->shm->head->config_version));
	for (int i = 0; i < m->listen.count; i++)
		pl_buf_addf(out, "listening: %s%s\n", m->listen.items[i].name,
		    m->listen.items[i].operator_side ? " (operator)" : "");
	pl_buf_addf(out, "text of running answers: %lld of %lld kB\n", (long long)texts.used_bytes / 1024,
	    (long long)texts.bytes / 1024);
	pl_buf_addf(out, "\n%-7s %4s %8s %-9s %9s %8s %10s %9s %9s\n", "kind", "slot", "pid", "state", "uptime",
	    "sockets", "requests", "rss kB", "turned ms");
	for (int i = 0; i < m->children_count; i++)
		if (m->children[i].pid > 0 || m->children[i].wanted)
			add_child(m, &m->children[i], now_ns, out);
}

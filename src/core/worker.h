/* SPDX-License-Identifier: ISC */
/*
 * One worker process: its event base, its turn hooks, its life.
 *
 * core contains no HTTP and no SQL. main.c passes the work of a process as struct app_hooks. The loop runs one turn at
 * a time: events, then the turn hooks in order of registration (flush writes, flush sockets, wake readers), then the
 * scoreboard.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include <event2/event.h>

#include "core/settings.h"
#include "core/shm.h"

struct listener { int fd; bool is_unix, operator_side; char name[112]; };

enum proc_kind { PROC_MASTER, PROC_WORKER, PROC_HASHER, PROC_CLERK, PROC_COURIER };

struct worker {
	enum proc_kind kind;		/* PROC_WORKER, PROC_CLERK, or PROC_COURIER */
	int slot;
	uint32_t generation;
	bool single;			/* -f -1: no master and no other process: this process does everything */
	struct event_base *base;
	struct shm *shm;
	CONFIG_HELD const struct config *config;	/* the newest; swapped by a reload */
	const struct listener *listeners;
	int listeners_count;
	struct hasher_client *hasher;	/* NULL in the clerk and the courier */
	bool draining;
	int64_t drain_deadline_ns;
};

/*
 * Why a process is woken: there are events in the rings, a second has passed, or the process of `slot` (otherwise -1)
 * died.
 */
enum wake { WAKE_EVENTS, WAKE_TICK, WAKE_SLOT_DIED };

struct app_hooks {
	/*
	 * Build everything above core in this process. false and why[]: the process exits 71 and the master backs off.
	 */
	bool (*start)(struct worker *worker, char why[512]);
	void (*reload)(struct worker *worker, const struct config *old);	/* worker->config is new */
	/*
	 * Stop accepting; finish before drain_deadline_ns. ws_close_code 1001 or 1012. cut: also cut running answers.
	 */
	void (*drain)(struct worker *worker, int ws_close_code, bool cut);
	bool (*idle)(struct worker *worker);		/* nothing is pending: the process may end */
	void (*stop)(struct worker *worker);		/* last call: store what must be stored, close, free */
	void (*wake)(struct worker *worker, enum wake why, int slot);
};

extern struct worker *worker_this;	/* of this process; NULL in master and hasher */

/* Calls fn(arg) at the end of every loop turn. */
void worker_on_turn(struct worker *worker, void (*fn)(void *arg), void *arg);
/* Makes the loop turn again at once, because there is more work than fits in one turn. */
void worker_again(struct worker *worker);
/* The loop itself; returns the exit status. Called by the master's child after fork, or by main for -f -1. */
int worker_run(struct worker *worker, const struct app_hooks *hooks, int channel_fd);

#endif

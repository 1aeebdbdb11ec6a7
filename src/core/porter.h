/* SPDX-License-Identifier: ISC */
/*
 * A porter: a process that does one piece of work, which may block, and reports in bytes. The loop that started it
 * never waits for it.
 *
 * It keeps only memory, log, and standard files of its parent: sockets and other descriptors are closed. Its memory,
 * files, and processor time are limited, it writes no core file, and it dies with its parent.
 */
#ifndef CORE_PORTER_H
#define CORE_PORTER_H

#include <event2/event.h>

#include "pool.h"

#define PORTER_REPORT_MAX 8192

struct porter;

struct porter_opts {
	int number;			/* for its name: porter/3 */
	int64_t limit_ms;		/* it is killed after this time */
	int memory_mb;			/* of private memory; not limited in builds with a sanitizer */
	int cpu_s;			/* processor time */
};

/* Runs in the new process. Reports with porter_report(), any number of times. When it returns, the process ends. */
typedef void (porter_work_fn)(void *arg, int out);

struct porter_end {
	const char *report;		/* all that was reported */
	size_t bytes;
	bool whole;			/* the work returned; false: the process died or was killed */
	char why[64];			/* a phrase, when it is not whole: "signal 9", "took longer than 20 s" */
};
/* Called once, from the loop, after the porter has ended. */
typedef void (porter_done_fn)(void *arg, const struct porter_end *end);

/* arg serves both functions. NULL and errno: no process. */
struct porter *porter_start(struct event_base *base, const struct porter_opts *opts, porter_work_fn *work,
    porter_done_fn *done, void *arg) PL_MUSTCHECK;
/* In the porter: writes all bytes, unless the parent has ended. */
void porter_report(int out, const void *data, size_t bytes);
/*
 * Kills it; `done` is not called. *end_r is what it reported until now, valid until the next call of a function of this
 * file. Clears *porter.
 */
void porter_kill(struct porter **porter, struct porter_end *end_r);

#endif

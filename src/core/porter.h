/* SPDX-License-Identifier: ISC */
/*
 * A porter: a process that does one piece of work, which may block, and reports in bytes. The loop that started it
 * never waits for it.
 *
 * It has nothing of its parent but memory, log, and standard files: sockets and descriptors are closed. Its memory,
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

/* In the new process. Reports with porter_report(), as often as it likes; when it returns the process ends. */
typedef void (porter_work_fn)(void *arg, int out);

struct porter_end {
	const char *report;		/* all that was reported */
	size_t bytes;
	bool whole;			/* the work returned; false: the process died or was killed */
	char why[64];			/* a phrase, when it is not whole: "signal 9", "took longer than 20 s" */
};
/* Once, from the loop; the porter is gone. */
typedef void (porter_done_fn)(void *arg, const struct porter_end *end);

/* arg serves both functions. NULL and errno: no process. */
struct porter *porter_start(struct event_base *base, const struct porter_opts *opts, porter_work_fn *work,
    porter_done_fn *done, void *arg) PL_MUSTCHECK;
/* In the porter: all bytes, or the parent is gone. */
void porter_report(int out, const void *data, size_t bytes);
/* Kills it; `done` is not called. What it reported so far: *end_r, until the next call of this file. Clears *porter. */
void porter_kill(struct porter **porter, struct porter_end *end_r);

#endif

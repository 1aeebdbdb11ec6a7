/* SPDX-License-Identifier: ISC */
/*
 * The signals of the master. They are read from a descriptor, so that they do not interrupt system calls.
 */
#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

#include "pool.h"

enum signal_act {
	SIGNAL_NONE, SIGNAL_STOP, SIGNAL_DRAIN, SIGNAL_RELOAD, SIGNAL_REOPEN, SIGNAL_MORE, SIGNAL_LESS, SIGNAL_UPGRADE,
	SIGNAL_CHILD
};

struct signal_row {
	int number;
	enum signal_act act;
	const char *name, *text;
};

extern const struct signal_row signals_table[];
extern const size_t signals_count;
const struct signal_row *signals_find(int number);	/* NULL: not in the table */

/* Blocks all signals of the table and returns a non-blocking descriptor to read them from; -1 and errno. */
int signals_open(void) PL_MUSTCHECK;
/* The next received signal; NULL: no more. */
const struct signal_row *signals_next(int fd);
/*
 * Waits up to wait_ms for a STOP or DRAIN (others are dropped, because it is too early for them). true: one was
 * received.
 */
bool signals_stop_within(int fd, int wait_ms);
/*
 * In a child after fork: restores the default handling, but ignores signals that the terminal or the process group
 * sends, which the master handles.
 */
void signals_child(void);

#endif

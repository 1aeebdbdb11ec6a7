/* SPDX-License-Identifier: ISC */
/*
 * The signals of the master, read from a descriptor: none ever interrupts anything.
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
const struct signal_row *signals_find(int number);	/* NULL: none of ours */

/* Blocks all of the table and gives a non-blocking descriptor to read them from; -1 and errno. */
int signals_open(void) PL_MUSTCHECK;
/* The next one that came; NULL: no more. */
const struct signal_row *signals_next(int fd);
/* Waits up to wait_ms for a STOP or DRAIN (others are dropped: it is too early for them). true: one came. */
bool signals_stop_within(int fd, int wait_ms);
/*
 * In a child after fork: everything back to normal, but what the terminal or the group sends is the master's
 * business.
 */
void signals_child(void);

#endif

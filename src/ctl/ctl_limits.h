/* SPDX-License-Identifier: ISC */
/*
 * parlourctl limits: lock-outs, which are in the database, and rate limits, whose state is in the shared memory of the
 * running daemon.
 */
#ifndef CTL_CTL_LIMITS_H
#define CTL_CTL_LIMITS_H

#include <stdio.h>

#include "pool.h"

struct ctl_limits_opts {
	const char *dsn;
	const char *socket;		/* control socket of the daemon */
	int argc;			/* what follows the word limits */
	char **argv;
};

/*
 * show [USER | ADDRESS], reset USER | ADDRESS.
 *   returns:  0, or an exit status and a sentence in why: 1 the daemon cannot be reached (lock-outs were still shown or
 *             reset), 64 usage, 65 not possible, 69 no database, 70 the database refused.
 */
int ctl_limits(const struct ctl_limits_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

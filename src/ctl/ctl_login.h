/* SPDX-License-Identifier: ISC */
/*
 * parlourctl login: login sessions and API keys of all users.
 */
#ifndef CTL_CTL_LOGIN_H
#define CTL_CTL_LOGIN_H

#include <stdio.h>

#include "pool.h"

struct ctl_login_opts {
	const char *dsn, *state, *address, *limit;	/* options; NULL when not given */
	int argc;			/* what follows the word login */
	char **argv;
};

/*
 * list [USER], end NUMBER.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 not possible, 69 no database, 70 the database
 *             refused. Then nothing has changed.
 */
int ctl_login(const struct ctl_login_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

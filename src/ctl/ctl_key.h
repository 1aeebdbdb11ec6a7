/* SPDX-License-Identifier: ISC */
/*
 * parlourctl key: API keys of users, by the operator of the server.
 */
#ifndef CTL_CTL_KEY_H
#define CTL_CTL_KEY_H

#include <stdio.h>

#include "pool.h"

struct ctl_key_opts {
	const char *dsn, *name, *scopes, *expires, *rate;	/* options; NULL when not given */
	int argc;			/* the words after `key` */
	char **argv;
};

/*
 * create USER, list [USER], revoke KEY (its number or prefix). create prints the key, which nobody can show again;
 * scopes are words with commas between (default: read), expires is a number with s, min, h, or d (default: never).
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 not possible, 69 no database, 70 the database
 *             refused. Then nothing has changed.
 */
int ctl_key(const struct ctl_key_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

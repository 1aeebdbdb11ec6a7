/* SPDX-License-Identifier: ISC */
/*
 * parlourctl invite: invites, by the operator of the server.
 */
#ifndef CTL_CTL_INVITE_H
#define CTL_CTL_INVITE_H

#include <stdio.h>

#include "pool.h"

struct ctl_invite_opts {
	const char *dsn, *uses, *expires_in, *room, *level, *note;	/* options; NULL when not given */
	const char *public_url;		/* setting; "": none */
	const char *access;		/* setting invite_access */
	int argc;			/* the words after `invite` */
	char **argv;
};

/*
 * create, list, revoke NUMBER. The token is printed once, as a link.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 not possible, 69 no database, 70 the database
 *             refused. Then nothing has changed.
 */
int ctl_invite(const struct ctl_invite_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

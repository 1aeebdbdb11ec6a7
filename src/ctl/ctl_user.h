/* SPDX-License-Identifier: ISC */
/*
 * parlourctl user: lets the operator of the server administer accounts.
 */
#ifndef CTL_CTL_USER_H
#define CTL_CTL_USER_H

#include <stdio.h>

#include "passwd.h"
#include "pool.h"

struct ctl_user_opts {
	const char *dsn, *email, *name, *access, *password_file;	/* options; NULL when not given */
	struct pl_passwd_cost cost;
	int64_t password_min;		/* bytes */
	const char *password_blocklist;	/* name of a file; "": none */
	bool erase;			/* setting deleted_messages */
	int argc;			/* the words after `user` */
	char **argv;
};

/*
 * add NAME, list [TEXT], show USER, passwd USER, access USER LEVEL, disable USER, enable USER, logout USER,
 * delete USER, export USER [FILE], and others.
 *
 * A new password is the first line of password_file ("-": standard input), else it is read twice from the terminal.
 * Without a terminal, or if the input is empty, it is generated and printed.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 not possible, 66 no password, 69 no database,
 *             70 the database refused; those of ctl_export(). Then nothing has changed.
 */
int ctl_user(const struct ctl_user_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * parlourctl audit: the audit trail.
 */
#ifndef CTL_CTL_AUDIT_H
#define CTL_CTL_AUDIT_H

#include <stdio.h>

#include "pool.h"

struct ctl_audit_opts {
	const char *dsn, *user, *action, *since, *until, *limit;	/* options; NULL when not given */
	bool csv;
	int argc;			/* what follows the word audit */
};

/*
 * Prints entries, newest first, as a table or as CSV.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 no such account, 69 no database, 70 the database
 *             refused.
 */
int ctl_audit(const struct ctl_audit_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

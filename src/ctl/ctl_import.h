/* SPDX-License-Identifier: ISC */
/*
 * parlourctl import: usage sessions, daily series, accounts, roles, rooms and messages from files into the database.
 */
#ifndef CTL_CTL_IMPORT_H
#define CTL_CTL_IMPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "pool.h"

struct ctl_import_opts {
	const char *dsn, *kind, *path;	/* kind: usage, series, users ...; path "-": standard input */
	const char *source;		/* for usage sessions that name none; NULL: "import"; required for users ... */
	bool dry_run;			/* check and count, store nothing */
};
/*
 * One transaction for the file. Refused records are reported to `complaints` with their line; the others are stored.
 * Exit status: 0; 64 usage; 65 records were refused; 66 no such file; 69 no database; 70 the database refused. Not 0 or
 * 65: why[] has a sentence.
 */
int ctl_import(const struct ctl_import_opts *opts, FILE *out, FILE *complaints, char why[512]) PL_MUSTCHECK;

#endif

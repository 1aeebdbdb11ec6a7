/* SPDX-License-Identifier: ISC */
/*
 * parlourctl jobs: the jobs of the courier, waiting, running, and given up (table jobs).
 */
#ifndef CTL_CTL_JOBS_H
#define CTL_CTL_JOBS_H

#include <stdio.h>

#include "pool.h"

/* argv: the words after `jobs`. */
struct ctl_jobs_opts { const char *dsn; int argc; char **argv; };

/*
 * list [STATE], show ID, retry ID ... | dead, drop ID ...; without a word: list.
 *   returns:  0, or an exit status and a sentence in why: 64 usage, 65 no such job or not possible, 69 no database,
 *             70 the database refused. Then nothing has changed.
 */
int ctl_jobs(const struct ctl_jobs_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

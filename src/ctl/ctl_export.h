/* SPDX-License-Identifier: ISC */
/*
 * parlourctl user export: writes what an account owns and wrote as one JSON document.
 */
#ifndef CTL_CTL_EXPORT_H
#define CTL_CTL_EXPORT_H

#include <stdio.h>

#include "db/admin/db_export.h"

/*
 * path: a file, which must not exist and gets mode 0600; NULL or "-": `out`. The file is removed again if the export
 * fails.
 *   returns:  0, or an exit status and a sentence in why: 65 no such account, 70 the database reported an error, 73 the
 *             file cannot be created, 74 writing failed.
 */
int ctl_export(struct db_import *db, const char *user, const char *path, FILE *out, char why[512]) PL_MUSTCHECK;

#endif

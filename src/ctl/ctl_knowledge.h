/* SPDX-License-Identifier: ISC */
/*
 * parlourctl knowledge load: the files of a directory into the knowledge base.
 */
#ifndef CTL_CTL_KNOWLEDGE_H
#define CTL_CTL_KNOWLEDGE_H

#include <stdio.h>

#include "pool.h"

/*
 * Loads every .txt and .md file of `dir` (not of those below) in one transaction; a file whose SHA-256 is known
 * under its name is left alone, one that changed replaces its text. NAME.de.txt is German; `language` is that of
 * names without one. Documents whose file is gone stay. Files that are not valid text of 1 byte to 1 MiB go to
 * `complaints`. Exit status: 0; 65 files were refused; 66 no such directory; 69 no database; 70 the database
 * refused. Not 0 or 65: why[] has a sentence.
 */
int ctl_knowledge_load(const char *dsn, const char *dir, const char *language, FILE *out, FILE *complaints,
    char why[512]) PL_MUSTCHECK;

#endif

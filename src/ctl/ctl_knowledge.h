/* SPDX-License-Identifier: ISC */
/*
 * parlourctl knowledge load: loads the files of a directory into the knowledge base.
 */
#ifndef CTL_CTL_KNOWLEDGE_H
#define CTL_CTL_KNOWLEDGE_H

#include <stdio.h>

#include "pool.h"

/*
 * Loads every .txt and .md file of `dir` (not of subdirectories) in one transaction. A file whose name and SHA-256 are
 * known is skipped; a changed file replaces its text. NAME.de.txt is German; `language` is used for names without a
 * language. Documents whose file no longer exists are kept. Files that are not valid text of 1 byte to 1 MiB go to
 * `complaints`. Exit status: 0; 65 files were refused; 66 no such directory; 69 no database; 70 the database refused.
 * Not 0 or 65: why[] has a sentence.
 */
int ctl_knowledge_load(const char *dsn, const char *dir, const char *language, FILE *out, FILE *complaints,
    char why[512]) PL_MUSTCHECK;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Inside parlourctl import: one run over one file.
 */
#ifndef CTL_CTL_IMPORT_INT_H
#define CTL_CTL_IMPORT_INT_H

#include <stdint.h>

#include "ctl/ctl_import.h"
#include "str.h"
#include "svc/usage/usage_read.h"

struct db_import;

struct import_run {
	const struct ctl_import_opts *opts;
	struct db_import *db;
	FILE *complaints;
	int64_t good, fresh, refused;	/* good: new ones and known ones */
};

/* The kind in import_ids for users, roles, rooms, and messages; NULL for other words. */
const char *ctl_import_over_kind(const char *word);
/* Imports records of these kinds. Errors of single records go to complaints. false and why[]: the database refused. */
bool ctl_import_over(struct import_run *run, struct pl_str all, char why[512]) PL_MUSTCHECK;

/* Imports all records of a text; `source` is used if the run has none. Errors of single records go to complaints. */
bool ctl_import_records(struct import_run *run, struct pl_str all, enum usage_kind kind, const char *source,
    char why[512]) PL_MUSTCHECK;
/* Reads a SQLite file of ProdLens as JSON lines, without changing the file. */
bool ctl_prodlens_read(const char *path, struct pl_buf *sessions, struct pl_buf *series, char why[512]) PL_MUSTCHECK;
/* Stores both and prints the counts. run->refused counts both. */
bool ctl_prodlens_store(struct import_run *run, struct pl_str sessions, struct pl_str series, FILE *out,
    char why[512]) PL_MUSTCHECK;

#endif

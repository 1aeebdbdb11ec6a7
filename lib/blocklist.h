/* SPDX-License-Identifier: ISC */
/*
 * Common passwords that nobody may choose: a file with one a line, as sorted 64-bit hashes.
 *
 * Passwords are compared in the form of pl_text_password(), and without regard to case.
 */
#ifndef PL_BLOCKLIST_H
#define PL_BLOCKLIST_H

#include "leaf.h"

struct pl_blocklist { const uint64_t *hashes; size_t count; };	/* count 0: none */

/*
 * Reads a file of at most 256 MiB: lines of at most 1024 bytes; empty lines and lines that are not UTF-8 are skipped.
 * The hashes are in memory of their own, which processes that are forked later share; it ends with the pool. Errors:
 * why[] has the file, the line, and the rule.
 */
bool pl_blocklist_load(struct pl_pool *pool, const char *path, struct pl_blocklist *list_r, char why[256]) PL_MUSTCHECK;
/* Returns whether the password is in the list. */
bool pl_blocklist_has(const struct pl_blocklist *list, struct pl_str password);

#endif

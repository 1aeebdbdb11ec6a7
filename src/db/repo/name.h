/* SPDX-License-Identifier: ISC */
/*
 * The rule for names that can be mentioned: users and roles share one case-insensitive namespace.
 *
 * 1 to 32 of A-Z a-z 0-9 _ . -, not all digits, not in the form of a UUID, and not a reserved word. The database has
 * the same rule as function name_ok(); tests compare the two.
 */
#ifndef DB_NAME_H
#define DB_NAME_H

#include <stdbool.h>

#include "str.h"

#define NAME_MAX_BYTES 32

/* One of the characters of names. */
bool name_char(char c);
/* NULL if the name is valid, else a sentence that names the rule. */
const char *name_fault(struct pl_str name);

#endif

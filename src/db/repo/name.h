/* SPDX-License-Identifier: ISC */
/*
 * The rule for names that can be mentioned: users and roles share one case-insensitive namespace.
 *
 * 1 to 32 of A-Z a-z 0-9 _ . -, not all digits, not shaped like a UUID, no reserved word. The database holds the same
 * rule as function name_ok(); tests compare the two.
 */
#ifndef DB_NAME_H
#define DB_NAME_H

#include <stdbool.h>

#include "str.h"

#define NAME_MAX_BYTES 32

/* One of the characters of names. */
bool name_char(char c);
/* NULL when good, else what is wrong, as a sentence for people. */
const char *name_fault(struct pl_str name);

#endif

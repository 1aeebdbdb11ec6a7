/* SPDX-License-Identifier: ISC */
/*
 * Processes of a daemon whose master was killed; they end by themselves within seconds.
 */
#ifndef CORE_ORPHANS_H
#define CORE_ORPHANS_H

#include <stdbool.h>

/* Is any worker, hasher, clerk, or courier without a master running? Processes that /proc hides are not found. */
bool orphans_live(void);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Processes of a daemon whose master was killed. They end by themselves within seconds.
 */
#ifndef CORE_ORPHANS_H
#define CORE_ORPHANS_H

#include <stdbool.h>

/*
 * Returns whether a worker, hasher, clerk, or courier without a master is running. Processes that /proc hides are not
 * found.
 */
bool orphans_live(void);

#endif

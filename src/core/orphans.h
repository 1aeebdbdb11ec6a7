/* SPDX-License-Identifier: ISC */
/*
 * Processes of a daemon whose master was killed; they end by themselves within seconds.
 */
#ifndef CORE_ORPHANS_H
#define CORE_ORPHANS_H

#include <stdbool.h>

/* Does a worker, clerk or hasher without a master live? Those that /proc hides are not seen. */
bool orphans_live(void);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A name that is taken while a process lives, on this host: an abstract unix socket, which the kernel frees when the
 * process ends, however it ends.
 */
#ifndef CORE_LIFELINE_H
#define CORE_LIFELINE_H

#include <stdbool.h>

/* Takes the name until the process ends or closes the descriptor; -1: it is taken, or errno. At most 90 bytes. */
int lifeline_take(const char *name);
/* Does a process have the name? true also when that cannot be found out. */
bool lifeline_held(const char *name);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A name that is taken while a process lives, on this host: an abstract unix socket, which the kernel frees when the
 * process ends, however it ends.
 */
#ifndef CORE_LIFELINE_H
#define CORE_LIFELINE_H

#include <stdbool.h>

/*
 * Where names of this process can be seen: "HOST@NUMBER", for one boot of one kernel and one network namespace. Two
 * containers with the same host name are two places. Where that cannot be found out, the place is random.
 */
#define LIFELINE_PLACE_MAX 96
void lifeline_place(char place_r[LIFELINE_PLACE_MAX]);
/* Takes the name until the process ends or closes the descriptor; -1: it is taken, or errno. At most 90 bytes. */
int lifeline_take(const char *name);
/* Does a process have the name? true also when that cannot be found out. */
bool lifeline_held(const char *name);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A name on this host that a process owns while it lives: an abstract unix socket, which the kernel frees when the
 * process ends for any reason.
 */
#ifndef CORE_LIFELINE_H
#define CORE_LIFELINE_H

#include <stdbool.h>

/*
 * The place where names of this process are visible: "HOST@NUMBER", for one boot of one kernel and one network
 * namespace. Two containers with the same host name are two places. If the place cannot be determined, it is random.
 */
#define LIFELINE_PLACE_MAX 96
void lifeline_place(char place_r[LIFELINE_PLACE_MAX]);
/*
 * Takes the name until the process ends or closes the descriptor. -1: the name is taken, or an error (errno). At most
 * 90 bytes.
 */
int lifeline_take(const char *name);
/* Returns whether a process has the name; true also if this cannot be determined. */
bool lifeline_held(const char *name);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The courier: takes jobs that are due, gives each to a porter, and notes the outcome. Its loop never waits.
 */
#ifndef SVC_COURIER_H
#define SVC_COURIER_H

#include "svc/svc.h"

struct courier;

/* Starts at once; the settings are looked at in every round. */
struct courier *courier_new(struct svc *svc);
/* Takes nothing more; what runs may end, and stays its own until then. */
void courier_drain(struct courier *courier);
bool courier_idle(const struct courier *courier);
/* Something may be due that was not before: after a reload. */
void courier_wake(struct courier *courier);
/*
 * Kills what runs and starts to note that; the caller lets the database finish (courier_idle()), for a moment.
 */
void courier_cut(struct courier *courier);
/* What is not noted yet stays with this process's name, and its successor finds it. Clears *courier. */
void courier_free(struct courier **courier);

#endif

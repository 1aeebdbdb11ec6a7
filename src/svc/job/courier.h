/* SPDX-License-Identifier: ISC */
/*
 * The courier takes due jobs, passes each to a porter, and records the outcome. Its loop never waits.
 */
#ifndef SVC_COURIER_H
#define SVC_COURIER_H

#include "svc/svc.h"

struct courier;

/* Starts at once; the settings are read in every round. */
struct courier *courier_new(struct svc *svc);
/* Takes no more jobs. Running jobs may end and belong to this courier until then. */
void courier_drain(struct courier *courier);
bool courier_idle(const struct courier *courier);
/* Checks for due jobs again, after a reload. */
void courier_wake(struct courier *courier);
/* Kills running jobs and starts to record this. The caller then waits a moment for the database (courier_idle()). */
void courier_cut(struct courier *courier);
/*
 * Outcomes that were not recorded are kept under the name of this process, and its successor finds them. Clears
 * *courier.
 */
void courier_free(struct courier **courier);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The clerk: periodic work that exactly one process does. Refusals are stored in limit_hits every 10 s, old rows are
 * deleted every hour, expired sessions are marked every 30 s, time-outs of feedback requests are handled every second,
 * and messages in sessions whose worker died are marked every 2 s.
 */
#ifndef SVC_CLERK_H
#define SVC_CLERK_H

#include "svc/svc.h"

struct clerk;
struct clerk *clerk_new(struct svc *svc);
void clerk_free(struct clerk **clerk);
/* Called before the process ends: stores the refusals that were gathered. */
void clerk_last_round(struct clerk *clerk);

#endif

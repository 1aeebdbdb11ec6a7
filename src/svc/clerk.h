/* SPDX-License-Identifier: ISC */
/*
 * The clerk's rounds: what needs one owner. Refusals go to limit_hits every 10 s, old rows are thrown away every hour,
 * sessions whose life is over are marked every 30 s, time-outs of feedback requests are handled every second, and
 * messages in sessions whose worker died are marked every 2 s.
 */
#ifndef SVC_CLERK_H
#define SVC_CLERK_H

#include "svc/svc.h"

struct clerk;
struct clerk *clerk_new(struct svc *svc);
void clerk_free(struct clerk **clerk);
/* The process will end: stores what was gathered so far. */
void clerk_last_round(struct clerk *clerk);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The audit trail (table audit): who did what to whom, for the operator. Best effort: it never delays or fails the
 * deed.
 */
#ifndef SVC_AUDIT_H
#define SVC_AUDIT_H

#include "svc/svc.h"

/*
 * action in plain words ("account made", "login refused"); target "user:7", "room:3" or NULL. Actor, address and
 * request id come from the task. No secrets.
 */
void audit_note(struct svc *svc, struct pl_task *task, const char *action, const char *target_fmt, ...) PL_PRINTF(4, 5);

#endif

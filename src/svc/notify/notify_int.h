/* SPDX-License-Identifier: ISC */
/*
 * Between the files of notifications.
 */
#ifndef SVC_NOTIFY_INT_H
#define SVC_NOTIFY_INT_H

#include "svc/notify/notify.h"

/* Sends each notification to the sockets of its user, on all workers. */
void notify_tell(struct svc *svc, const struct notification_list *list);

#endif

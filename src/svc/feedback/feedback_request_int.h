/* SPDX-License-Identifier: ISC */
/*
 * Notifications about feedback requests: frames on the topic user:me. For request*.c only.
 */
#ifndef SVC_REQUEST_INT_H
#define SVC_REQUEST_INT_H

#include "svc/feedback/feedback_request.h"

/*
 * Notifies all sockets of the asker and the receiver (request->asker_id, asked_id) that listen to user:me, on every
 * worker. event: created, answered, declined, cancelled, timed_out. May be called in the clerk.
 */
void feedback_request_tell(struct svc *svc, const char *event, const struct feedback_request *request);

#endif

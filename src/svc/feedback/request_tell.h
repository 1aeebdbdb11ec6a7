/* SPDX-License-Identifier: ISC */
/*
 * News of questions put to humans, for those whom they concern: frames on the topic user:me.
 */
#ifndef SVC_REQUEST_TELL_H
#define SVC_REQUEST_TELL_H

#include "db/repo/repo_feedback.h"
#include "svc/svc.h"

/*
 * To all sockets of the asker and of the user asked (request->asker_id, asked_id) that listen to user:me, on every
 * worker. event: created, answered, declined, cancelled, timed_out. May be called in the clerk.
 */
void request_tell(struct svc *svc, const char *event, const struct feedback_request *request);
/* At start: such news from other processes go to this one's sockets (svc->on_user). */
void request_listen(struct svc *svc);

#endif

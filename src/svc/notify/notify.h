/* SPDX-License-Identifier: ISC */
/*
 * Notifications: who is notified of a message, and the news on user:me.
 *
 *   message committed -> notify_message() in its worker -> rows -> frames
 *                     -> its worker died: the clerk does the same, from table notification_queue
 *   other things: a trigger wrote the row -> the clerk announces it within a second
 *
 * Each notification exists once. Its frame is sent at most once and may be lost; the inbox is the truth.
 */
#ifndef SVC_NOTIFY_H
#define SVC_NOTIFY_H

#include "db/repo/repo_notification.h"
#include "svc/svc.h"

/*
 * For a message with a mention, or a reply, of a user; the message is committed. Nobody waits for it: if it fails, the
 * clerk repeats it.
 */
void notify_message(struct svc *svc, int64_t room_id, int64_t seq, struct pl_str content);
/* Marks as read, see repo_notification_read(), and notifies the sockets of the user. */
void notify_read(struct svc *svc, struct pl_task *task, int64_t id, int64_t up_to, db_count_fn *done, void *arg);

/* Sends a frame to all sockets of a user that listen to user:me; at most 32 KiB. It may be lost. */
void notify_user(struct svc *svc, int64_t user_id, struct pl_str frame);

/* At the start of a worker: passes the news of other processes to the sockets of this one (svc->on_user). */
void notify_listen(struct svc *svc);
/* The clerk's part. One per process. */
void notify_watch(struct svc *svc);
void notify_watch_stop(void);

#endif

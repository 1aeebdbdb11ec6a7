/* SPDX-License-Identifier: ISC */
/*
 * In the clerk, once a second: messages whose worker died before it notified anybody; notifications that triggers
 * wrote and that no socket has heard of. Every few seconds: daily mails that are due are queued, if there is a mail
 * server. Once a minute: old notifications are deleted.
 *
 *   timer -> repo_notify_left -> notify_message for each -> repo_notify_announce -> frames -> repo_digests_queue
 *         -> repo_notifications_purge -> timer
 */
#include <event2/event.h>

#include "clock.h"
#include "log.h"
#include "svc/job/job.h"
#include "svc/notify/notify_int.h"

#define EVERY_S 1
#define PURGE_EVERY_S 60
#define PURGE_ROWS 1000
#define DIGEST_EVERY_S 5
#define DIGEST_USERS 200
#define LEFT_ROWS 20
#define ANNOUNCE_ROWS 500
#define LOOK_TIME_NS (10 * PL_NS_PER_S)

struct watch {
	struct svc *svc;
	struct event *timer;
	int64_t purged_ns, digest_ns;
};
struct look { struct watch *watch; struct pl_task *task; };

static struct watch *watching;		/* one per process; statements may end after it */

static void look_end(struct look *look, int seconds)
{
	struct pl_task *task = look->task;
	struct timeval tv = { seconds, 0 };

	if (look->watch == watching && evtimer_add(watching->timer, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "seconds=%d", seconds);
	pl_task_release(&task);
}

static void on_purged(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct look *look = arg;

	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "old notifications not deleted", "error=%s",
		    pl_err_info(err->code)->code);
	else if (*rows == PURGE_ROWS && look->watch == watching)
		watching->purged_ns = 0;	/* there may be more */
	look_end(look, EVERY_S);
}

static void look_purge(struct look *look)
{
	struct svc *svc = look->watch->svc;

	if (watching->purged_ns != 0 && pl_now_ns() - watching->purged_ns < PURGE_EVERY_S * PL_NS_PER_S) {
		look_end(look, EVERY_S);
		return;
	}
	watching->purged_ns = pl_now_ns();
	repo_notifications_purge(
	    svc->db, look->task, svc_config(svc)->s.notifications_keep * 1000, PURGE_ROWS, on_purged, look);
}

static void on_digests(void *arg, const int64_t *users, const struct pl_err *err)
{
	struct look *look = arg;

	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "daily mails not queued", "error=%s", pl_err_info(err->code)->code);
	if (look->watch != watching) {
		look_end(look, EVERY_S);
		return;
	}
	if (err == NULL && *users == DIGEST_USERS)
		watching->digest_ns = 0;	/* there may be more */
	look_purge(look);
}

static void look_digests(struct look *look)
{
	struct svc *svc = look->watch->svc;

	if (!job_digest_ready(svc_config(svc)) || (watching->digest_ns != 0 &&
	    pl_now_ns() - watching->digest_ns < DIGEST_EVERY_S * PL_NS_PER_S)) {
		look_purge(look);
		return;
	}
	watching->digest_ns = pl_now_ns();
	repo_digests_queue(svc->db, look->task, DIGEST_USERS, on_digests, look);
}

static void on_announced(void *arg, const struct notification_list *list, const struct pl_err *err)
{
	struct look *look = arg;

	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "notifications not announced", "error=%s",
		    pl_err_info(err->code)->code);
	if (err != NULL || look->watch != watching) {
		look_end(look, EVERY_S);
		return;
	}
	notify_tell(watching->svc, list);
	if (list->count == ANNOUNCE_ROWS)
		look_end(look, 0);
	else
		look_digests(look);
}

static void on_left(void *arg, const struct notify_left_list *list, const struct pl_err *err)
{
	struct look *look = arg;
	struct svc *svc;

	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "messages that notify somebody not read", "error=%s",
		    pl_err_info(err->code)->code);
	if (err != NULL || look->watch != watching) {
		look_end(look, EVERY_S);
		return;
	}
	svc = watching->svc;
	for (int i = 0; i < list->count; i++)
		notify_message(svc, list->rows[i].room_id, list->rows[i].seq, list->rows[i].content);
	repo_notify_announce(svc->db, look->task, ANNOUNCE_ROWS, svc_config(svc)->s.notifications_per_user,
	    on_announced, look);
}

static void watch_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	struct pl_task *task = pl_task_new(pl_now_ns() + LOOK_TIME_NS);
	struct look *look = pl_alloc(task->pool, sizeof(*look));

	PL_UNUSED(fd);
	PL_UNUSED(what);
	*look = (struct look){ w, task };
	repo_notify_left(w->svc->db, task, LEFT_ROWS, on_left, look);
}

void notify_watch(struct svc *svc)
{
	struct timeval soon = { EVERY_S, 0 };
	struct watch *w = pl_new(sizeof(*w));

	*w = (struct watch){ .svc = svc, .timer = evtimer_new(svc->worker->base, watch_on_timer, w) };
	PL_BUG(w->timer == NULL || evtimer_add(w->timer, &soon) != 0);
	watching = w;
}

void notify_watch_stop(void)
{
	struct watch *w = watching;

	watching = NULL;
	if (w == NULL)
		return;
	event_free(w->timer);
	pl_free(w);
}

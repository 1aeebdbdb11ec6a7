/* SPDX-License-Identifier: ISC */
/*
 * In the clerk: login sessions that somebody else ended in PostgreSQL (psql, parlourctl, another host, a worker that
 * died right after its commit) are revoked here too.
 *
 * A notification says only that there is something new. The next look reads what ended since shortly before the last
 * one; now and then one reads everything that still matters, for transactions that took long to commit.
 */
#include <event2/event.h>

#include "clock.h"
#include "log.h"
#include "svc/account/auth.h"
#include "svc/bus/bus.h"

#define PACE_MS 200			/* between two looks */
#define OVERLAP_US (10 * PL_US_PER_S)
#define WHOLE_EVERY_S 60
#define AGAIN_MS 1000			/* after an error, or without notifications */

struct watch {
	struct svc *svc;
	struct event *timer;
	bool busy, noticed;
	int64_t since_us, begun_us, whole_ns;	/* whole_ns: when the next whole look is due */
};
struct look { struct watch *watch; struct pl_task *task; };

static struct watch *watching;		/* one per process; statements may end after it */

static void watch_arm(struct watch *w, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (evtimer_add(w->timer, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "ms=%lld", (long long)ms);
}

static void watch_on_list(void *arg, const struct login_list *list, const struct pl_err *err)
{
	struct look *look = arg;
	struct watch *w = look->watch;
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	int revoked = 0;

	if (w == watching) {
		w->busy = false;
		for (int i = 0; err == NULL && i < list->count; i++) {
			if (shm_revoked(w->svc->shm, list->rows[i].id, now_s))
				continue;
			auth_revoke(w->svc, list->rows[i].id);
			revoked++;
		}
		bus_kick(w->svc);	/* no loop turn of a worker does it here */
		if (err == NULL)
			w->since_us = w->begun_us;
		watch_arm(w, err != NULL || w->svc->worker->single ? AGAIN_MS : w->noticed ? PACE_MS :
		    WHOLE_EVERY_S * 1000);
	}
	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "ended login sessions not read", "error=%s",
		    pl_err_info(err->code)->code);
	else if (revoked > 0)
		pl_log(PL_LOG_INFO, look->task, "login sessions ended in the database", "count=%d", revoked);
	pl_task_release(&look->task);
}

static void watch_look(struct watch *w)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
	struct look *look = pl_alloc(task->pool, sizeof(*look));
	int64_t since_us = w->since_us - OVERLAP_US;

	*look = (struct look){ w, task };
	w->busy = true;
	w->noticed = false;
	w->begun_us = pl_wall_us();
	if (pl_now_ns() >= w->whole_ns) {
		w->whole_ns = pl_now_ns() + WHOLE_EVERY_S * PL_NS_PER_S;
		since_us = w->begun_us - svc_config(w->svc)->s.access_token_life * 1000;
	}
	repo_login_ended_since(w->svc->db, task, since_us, watch_on_list, look);
}

static void watch_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	if (!w->busy)
		watch_look(w);
}

static void watch_on_notice(void *arg)
{
	struct watch *w = arg;

	if (w->noticed)
		return;
	w->noticed = true;
	if (!w->busy)
		watch_arm(w, pl_wall_us() - w->begun_us > PACE_MS * 1000 ? 0 : PACE_MS);
}

void auth_watch(struct svc *svc)
{
	struct watch *w = pl_new(sizeof(*w));

	*w = (struct watch){ .svc = svc, .timer = evtimer_new(svc->worker->base, watch_on_timer, w) };
	PL_BUG(w->timer == NULL);
	watching = w;
	if (svc->worker->single)	/* the process has one connection that listens, and that is the courier's */
		watch_arm(w, 0);
	else
		repo_login_listen(svc->db, watch_on_notice, w);
}

void auth_watch_stop(void)
{
	struct watch *w = watching;

	watching = NULL;
	if (w == NULL)
		return;
	event_free(w->timer);
	pl_free(w);
}

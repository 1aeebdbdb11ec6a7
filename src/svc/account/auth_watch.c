/* SPDX-License-Identifier: ISC */
/*
 * Runs in the clerk: revokes login sessions that other programs ended in PostgreSQL (psql, parlourctl, another host, or
 * a worker that died directly after its commit).
 *
 * A notification contains no data. The next query reads what ended since shortly before the previous query. From time
 * to time, a query reads all rows that still matter, for transactions that took long to commit.
 *
 * A query also finds API keys whose rights changed: workers look these up again, and their sockets are closed.
 */
#include <event2/event.h>

#include "clock.h"
#include "log.h"
#include "svc/account/auth.h"
#include "svc/bus/bus.h"

#define PACE_MS 200			/* between two queries */
#define OVERLAP_US (10 * PL_US_PER_S)
#define WHOLE_EVERY_S 60
#define AGAIN_MS 1000			/* after an error, or without notifications */
#define STEP_ROWS 256			/* a statement may end 100,000: this fills neither the loop nor a ring */
#define STEP_MS 5

struct look {
	struct watch *watch;
	struct pl_task *task;
	const struct ended_login *rows;	/* result of the query */
	int count, at, revoked;
};
struct watch {
	struct svc *svc;
	struct event *timer;
	struct look *found;		/* its rows are being revoked; NULL: none */
	bool busy, noticed;
	int64_t since_us, begun_us, whole_ns;	/* whole_ns: time of the next query for all rows */
};

static struct watch *watching;		/* one per process; statements may end after it */

static void watch_arm(struct watch *w, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (evtimer_add(w->timer, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "ms=%lld", (long long)ms);
}

static void look_free(struct look *look)
{
	struct pl_task *task = look->task;

	pl_task_release(&task);
}

static void watch_end(struct watch *w, int64_t ms)
{
	w->busy = false;
	watch_arm(w, ms);
}

/* The queries of the next minutes find the row again. */
static void watch_changed(struct watch *w, const struct ended_login *row, int64_t now_s)
{
	struct { char class[8]; int64_t id, changed_us; } key = { "changed", row->id, row->changed_us };
	int64_t until_s = now_s + svc_config(w->svc)->s.access_token_life / 1000 + 120;

	if (!shm_once(w->svc->shm, shm_tag(w->svc->shm, &key, sizeof(key)), until_s, now_s))
		return;
	shm_keys_changed(w->svc->shm);
	auth_close_sockets(w->svc, row->id);
}

/* Revokes the next rows. */
static void watch_step(struct watch *w)
{
	struct look *look = w->found;
	int end = look->count - look->at > STEP_ROWS ? look->at + STEP_ROWS : look->count;
	int64_t now_s = pl_wall_us() / PL_US_PER_S;

	for (; look->at < end; look->at++) {
		const struct ended_login *row = &look->rows[look->at];

		if (row->ended_us == 0) {
			watch_changed(w, row, now_s);
		} else if (!shm_revoked(w->svc->shm, row->id, now_s)) {
			auth_revoke(w->svc, row->id);
			look->revoked++;
		}
	}
	bus_kick(w->svc);	/* the clerk has no turn hook that does this */
	if (look->at < look->count) {
		watch_arm(w, STEP_MS);
		return;
	}
	if (look->revoked > 0)
		pl_log(PL_LOG_INFO, look->task, "login sessions ended in the database", "count=%d", look->revoked);
	w->found = NULL;
	look_free(look);
	w->since_us = w->begun_us;
	watch_end(w, w->svc->worker->single ? AGAIN_MS : w->noticed ? PACE_MS : WHOLE_EVERY_S * 1000);
}

static void watch_on_list(void *arg, const struct ended_login_list *list, const struct pl_err *err)
{
	struct look *look = arg;
	struct watch *w = look->watch;

	if (err != NULL)
		pl_log(PL_LOG_WARN, look->task, "ended login sessions not read", "error=%s",
		    pl_err_info(err->code)->code);
	if (w == watching && err == NULL) {
		look->rows = list->rows;
		look->count = list->count;
		w->found = look;
		watch_step(w);
		return;
	}
	look_free(look);
	if (w == watching) {
		w->whole_ns = 0;	/* it may have been a query for all rows */
		watch_end(w, AGAIN_MS);
	}
}

static void watch_look(struct watch *w)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
	struct look *look = pl_alloc(task->pool, sizeof(*look));
	int64_t since_us = w->since_us - OVERLAP_US;

	*look = (struct look){ .watch = w, .task = task };
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

	if (w->found != NULL)
		watch_step(w);
	else if (!w->busy)
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
	if (svc->worker->single)	/* the only connection that listens is the courier's */
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
	if (w->found != NULL)
		look_free(w->found);
	pl_free(w);
}

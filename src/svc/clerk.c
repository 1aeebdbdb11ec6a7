/* SPDX-License-Identifier: ISC */
/*
 * Timers of the clerk process.
 */
#include <event2/event.h>

#include "clock.h"
#include "db/repo/repo_admin.h"
#include "db/repo/repo_generation.h"
#include "db/repo/repo_session.h"
#include "db/repo/repo_session_talk.h"
#include "log.h"
#include "svc/account/auth.h"
#include "svc/clerk.h"
#include "svc/feedback/feedback_request.h"
#include "svc/notify/notify.h"

#define HITS_EVERY_S 10
#define PURGE_EVERY_S 3600
#define PURGE_FIRST_S 60
#define PURGE_ROWS 1000
#define EXPIRE_EVERY_S 30
#define EXPIRE_ROWS 1000
#define HITS_MAX 1024
#define DUE_EVERY_S 1
#define DUE_ROWS 500
#define TEND_EVERY_S 2
#define TEND_ROWS 200

struct clerk {
	struct svc *svc;
	struct event *hits, *purge, *expire, *due, *tend, *answers;
	int64_t seen_ns, well_ns;	/* when running answers were last recorded; since when without a gap */
};

static struct clerk *living;	/* one per process; statements may end after it */

static void clerk_arm(struct event *timer, int seconds)
{
	struct timeval tv = { seconds, 0 };

	if (evtimer_add(timer, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "seconds=%d", seconds);
}

/* ---- refusals ---- */

struct hits { struct pl_task *task; struct shm_refusal *rows; int count; };

static void gather(void *arg, const struct shm_refusal *refusal)
{
	struct hits *h = arg;

	if (h->count < HITS_MAX)
		h->rows[h->count++] = *refusal;
}

static void on_stored(void *arg, const bool *done, const struct pl_err *err)
{
	struct hits *h = arg;
	struct pl_task *task = h->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "refusals by limits not stored", "rows=%d error=%s", h->count,
		    pl_err_info(err->code)->code);
	pl_task_release(&task);
}

static void store_hits(struct clerk *clerk)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 5 * PL_NS_PER_S);
	struct hits *h = pl_alloc(task->pool, sizeof(*h));

	h->task = task;
	h->rows = pl_alloc(task->pool, HITS_MAX * sizeof(*h->rows));
	shm_refusal_drain(clerk->svc->shm, gather, h);
	if (h->count > 0)
		repo_limit_hits_add(clerk->svc->db, task, h->rows, h->count, on_stored, h);
	else
		pl_task_release(&task);
}

static void on_hits(evutil_socket_t fd, short what, void *arg)
{
	struct clerk *clerk = arg;

	store_hits(clerk);
	clerk_arm(clerk->hits, HITS_EVERY_S);
}

void clerk_last_round(struct clerk *clerk)
{
	store_hits(clerk);
}

/* ---- old rows ---- */

struct purge { struct clerk *clerk; struct pl_task *task; };

static void on_purged(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;
	struct pl_task *task = p->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "old rows not deleted", "error=%s", pl_err_info(err->code)->code);
	if (p->clerk == living)
		clerk_arm(p->clerk->purge, err == NULL && *rows > 0 ? 1 : PURGE_EVERY_S);
	pl_task_release(&task);
}

static void on_purge(evutil_socket_t fd, short what, void *arg)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct purge *p = pl_alloc(task->pool, sizeof(*p));
	const struct settings *s;
	struct purge_limits limits;

	*p = (struct purge){ .clerk = arg, .task = task };
	s = &svc_config(p->clerk->svc)->s;
	limits = (struct purge_limits){ .rows = PURGE_ROWS, .audit_days = (int)(s->audit_keep / (24 * 3600 * 1000)),
		.export_keep_ms = s->export_keep };
	repo_purge(p->clerk->svc->db, task, &limits, on_purged, p);
}

/* ---- expired chat sessions ---- */

static void on_expired(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;
	struct pl_task *task = p->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "old sessions not marked", "error=%s", pl_err_info(err->code)->code);
	if (p->clerk == living)
		clerk_arm(p->clerk->expire, err == NULL && *rows == EXPIRE_ROWS ? 1 : EXPIRE_EVERY_S);
	pl_task_release(&task);
}

static void on_expire(evutil_socket_t fd, short what, void *arg)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct purge *p = pl_alloc(task->pool, sizeof(*p));

	*p = (struct purge){ .clerk = arg, .task = task };
	repo_sessions_expire(p->clerk->svc->db, task, EXPIRE_ROWS, on_expired, p);
}

/* ---- timeouts ---- */

static void on_due_handled(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct purge *p = arg;
	struct pl_task *task = p->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "time-outs not handled", "error=%s", pl_err_info(err->code)->code);
	else if (list->count > 0 && p->clerk == living)
		shm_count(p->clerk->svc->shm, SHM_M_feedback_timeouts, list->count);
	if (p->clerk == living)
		clerk_arm(p->clerk->due, err == NULL && list->count == DUE_ROWS ? 0 : DUE_EVERY_S);
	pl_task_release(&task);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 3 * PL_NS_PER_S);
	struct purge *p = pl_alloc(task->pool, sizeof(*p));

	*p = (struct purge){ .clerk = arg, .task = task };
	feedback_request_time_out(p->clerk->svc, task, DUE_ROWS, on_due_handled, p);
}

/* ---- messages whose worker died ---- */

static void on_tended(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;
	struct pl_task *task = p->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "messages of dead workers not marked", "error=%s",
		    pl_err_info(err->code)->code);
	else if (*rows > 0)
		pl_log(PL_LOG_WARN, task, "messages in sessions marked interrupted", "count=%lld", (long long)*rows);
	if (p->clerk == living)
		clerk_arm(p->clerk->tend, err == NULL && *rows == TEND_ROWS ? 0 : TEND_EVERY_S);
	pl_task_release(&task);
}

static void on_seen(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;

	/* without the first query, the second would mark running answers */
	static const int64_t none = 0;

	if (err != NULL || p->clerk != living)
		on_tended(p, &none, err);
	else
		repo_session_interrupt(p->clerk->svc->db, p->task, TEND_ROWS, on_tended, p);
}

static void on_tend(evutil_socket_t fd, short what, void *arg)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
	struct purge *p = pl_alloc(task->pool, sizeof(*p));
	struct clerk *clerk = arg;
	const struct shm *shm = clerk->svc->shm;
	int64_t slots[SHM_SLOTS_MAX], generations[SHM_SLOTS_MAX];
	int count = 0;

	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		if (!shm_slot_live(shm, i))
			continue;
		slots[count] = i;
		generations[count++] = atomic_load(&shm->scores[i].generation);
	}
	*p = (struct purge){ .clerk = clerk, .task = task };
	repo_session_seen(clerk->svc->db, task, slots, generations, count, on_seen, p);
}

/* ---- answers in rooms that no worker runs ---- */

static void on_ended(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;
	struct pl_task *task = p->task;

	if (err != NULL)
		pl_log(PL_LOG_WARN, task, "abandoned answers not marked", "error=%s", pl_err_info(err->code)->code);
	else if (*rows > 0)
		pl_log(PL_LOG_WARN, task, "abandoned answers marked interrupted", "count=%lld", (long long)*rows);
	if (p->clerk == living)
		clerk_arm(p->clerk->answers, err == NULL && *rows == TEND_ROWS ? 0 : TEND_EVERY_S);
	pl_task_release(&task);
}

/* Runs only after running answers were recorded: after an outage, all of them would look abandoned. */
static void on_answers_seen(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct purge *p = arg;
	static const int64_t none = 0;
	int64_t now_ns = pl_now_ns();

	if (err != NULL || p->clerk != living) {
		on_ended(p, &none, err);
		return;
	}
	if (now_ns - p->clerk->seen_ns > 2 * TEND_EVERY_S * PL_NS_PER_S)
		p->clerk->well_ns = now_ns;
	p->clerk->seen_ns = now_ns;
	repo_generation_abandoned(
	    p->clerk->svc->db, p->task, (now_ns - p->clerk->well_ns) / 1000, TEND_ROWS, on_ended, p);
}

/* Runs more often than answers are given up, so that the record is recent when it is used. */
static void on_answers(evutil_socket_t fd, short what, void *arg)
{
	struct clerk *clerk = arg;
	const struct shm *shm = clerk->svc->shm;
	struct pl_task *task = pl_task_new(pl_now_ns() + 4 * PL_NS_PER_S);
	struct purge *p = pl_alloc(task->pool, sizeof(*p));
	struct pl_str *ids = pl_alloc(task->pool, (shm->head->sizes.generations + 1) * sizeof(*ids));
	struct shm_gen_info info;
	int count = 0;

	for (int i = -1; (i = shm_gen_after(shm, i, &info)) >= 0;) {
		if (info.room_id != 0)
			ids[count++] = pl_str_dup(task->pool, pl_str(info.id));
	}
	*p = (struct purge){ .clerk = clerk, .task = task };
	repo_generation_seen(clerk->svc->db, task, ids, count, on_answers_seen, p);
}

struct clerk *clerk_new(struct svc *svc)
{
	struct clerk *c = pl_new(sizeof(*c));

	c->svc = svc;
	living = c;
	c->hits = evtimer_new(svc->worker->base, on_hits, c);
	c->purge = evtimer_new(svc->worker->base, on_purge, c);
	c->expire = evtimer_new(svc->worker->base, on_expire, c);
	c->due = evtimer_new(svc->worker->base, on_due, c);
	c->tend = evtimer_new(svc->worker->base, on_tend, c);
	c->answers = evtimer_new(svc->worker->base, on_answers, c);
	PL_BUG(c->hits == NULL || c->purge == NULL || c->expire == NULL || c->due == NULL || c->tend == NULL ||
	    c->answers == NULL);
	clerk_arm(c->due, 0);
	clerk_arm(c->hits, HITS_EVERY_S);
	clerk_arm(c->purge, PURGE_FIRST_S);
	clerk_arm(c->expire, 1);
	clerk_arm(c->tend, 0);
	clerk_arm(c->answers, 0);
	auth_watch(svc);
	notify_watch(svc);
	return c;
}

void clerk_free(struct clerk **clerk)
{
	if (*clerk == NULL)
		return;
	auth_watch_stop();
	notify_watch_stop();
	event_free((*clerk)->hits);
	event_free((*clerk)->purge);
	event_free((*clerk)->expire);
	event_free((*clerk)->due);
	event_free((*clerk)->tend);
	event_free((*clerk)->answers);
	pl_free(*clerk);
	*clerk = living = NULL;
}

/* SPDX-License-Identifier: ISC */
/*
 * notification, timer, or a free porter -> claim -> a porter for each job -> its end is recorded (until the database
 * accepts it) -> claim ...
 *
 * While it lives, the courier extends the leases of its jobs every CONTACT_TEND_S. The jobs of a dead courier are put
 * back, with a pause, as failed attempts: by a courier with the same place as soon as it sees the death (lifeline.h),
 * by others after CONTACT_LEASE_S (contact.h).
 */
#include "svc/job/courier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core/lifeline.h"
#include "core/porter.h"
#include "log.h"
#include "svc/job/contact.h"
#include "svc/job/job_report.h"

#define PORTERS_MAX ((int)SHM_OUTCOMES)
#define IDLE_S 30		/* a safeguard: notifications are not lost */
#define NOTE_AGAIN_S 1
#define LOOK_UP_S 60		/* interval between checks of a peer that is up */
#define LOOK_DOWN_S 5
#define LOOK_LIMIT_MS 30000
#define SQL_NS (5 * PL_NS_PER_S)

struct run {
	struct courier *courier;
	int place;
	struct pl_task *claim;		/* holds the texts of the job */
	const struct job *job;
	const struct job_kind *kind;	/* NULL: a dead courier's job whose outcome is known */
	CONFIG_HELD struct config *config;
	struct porter *porter;		/* NULL: the porter has ended */
	struct job_end end;
	bool noting;			/* a statement runs */
};

struct look {
	struct courier *courier;
	const struct job_kind *kind;
	CONFIG_HELD struct config *config;
	struct porter *porter;
};

struct courier {
	struct svc *svc;
	struct event *round, *tend, *note, *look;
	struct run *runs[PORTERS_MAX];
	struct look *looks[JOB_KINDS_MAX];
	int64_t look_ns[JOB_KINDS_MAX];	/* time of the next check */
	bool busy;			/* a claim runs, or jobs are being put back */
	bool again, untended, draining;
	struct contact contact;
	int lifeline, inherited;	/* inherited: outcomes of a dead courier that are not recorded yet */
};

static struct courier *living;	/* one per process; statements may end after it */

/* One statement of a courier, for itself or about one of its runs. */
struct ask { struct courier *courier; struct pl_task *task; struct run *run; int limit; };

static void round_now(struct courier *c);

static struct ask *ask_new(struct courier *c)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + SQL_NS);
	struct ask *ask = pl_alloc(task->pool, sizeof(*ask));

	*ask = (struct ask){ .courier = c, .task = task };
	return ask;
}

static void ask_free(struct ask *ask)
{
	struct pl_task *task = ask->task;

	pl_task_release(&task);
}

static void arm(struct event *timer, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (evtimer_add(timer, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "ms=%lld", (long long)ms);
}

/* ---- health of the peers ---- */

/*
 * config: of the attempt or check. If it was reloaded meanwhile, the result is ignored, because the settings may name
 * another server.
 */
static void tell_peer(struct courier *c, const struct job_kind *kind, const struct config *config, enum job_peer peer,
    const char *why)
{
	struct pl_str name = pl_str(kind->peer != NULL ? kind->peer : "");
	bool good = peer == JOB_PEER_UP, was;

	if (kind->peer == NULL || peer == JOB_PEER_UNSEEN || config != svc_config(c->svc))
		return;
	was = shm_breaker_get(c->svc->shm, name) != SHM_OPEN;
	shm_breaker_allow(c->svc->shm, name, 0, pl_now_ns());	/* an open breaker is closed only by a trial */
	shm_breaker_report(c->svc->shm, name, good, 1, 0, pl_now_ns());
	c->look_ns[kind - job_kinds] = pl_now_ns() + (good ? LOOK_UP_S : LOOK_DOWN_S) * PL_NS_PER_S;
	if (good == was)
		return;
	pl_log(good ? PL_LOG_INFO : PL_LOG_WARN, NULL, pl_str_is(name, "mail server") ?
	    (good ? "mail server is up" : "mail server is down") : (good ? "peer is up" : "peer is down"),
	    "peer=%s why=%s", kind->peer, why);
}

static void look_work(void *arg, int out)
{
	struct look *look = arg;
	struct job_out words = { .fd = out };

	look->kind->look(look->config, &words);
}

static void look_free(struct look *look)
{
	look->courier->looks[look->kind - job_kinds] = NULL;
	config_release(&look->config);
	pl_free(look);
}

static void on_looked(void *arg, const struct porter_end *end)
{
	struct look *look = arg;
	struct job_end seen;

	job_report_read(&(struct job_report){ .words = end->report, .bytes = end->bytes, .died = end->why }, &seen);
	if (!end->whole && seen.peer == JOB_PEER_UNSEEN)
		seen.peer = JOB_PEER_DOWN;
	if (look->config != svc_config(look->courier->svc))
		look->courier->look_ns[look->kind - job_kinds] = 0;
	tell_peer(look->courier, look->kind, look->config, seen.peer, seen.why);
	look_free(look);
}

static void look_at(struct courier *c, const struct job_kind *kind)
{
	struct porter_opts opts = { .number = PORTERS_MAX + (int)(kind - job_kinds), .limit_ms = LOOK_LIMIT_MS,
		.memory_mb = kind->memory_mb, .cpu_s = kind->cpu_s };
	struct look *look = pl_new(sizeof(*look));

	*look = (struct look){ .courier = c, .kind = kind, .config = config_hold(svc_config(c->svc)) };
	c->looks[kind - job_kinds] = look;
	c->look_ns[kind - job_kinds] = pl_now_ns() + LOOK_DOWN_S * PL_NS_PER_S;
	look->porter = porter_start(c->svc->worker->base, &opts, look_work, on_looked, look);
	if (look->porter == NULL) {
		pl_log(PL_LOG_ERROR, NULL, "cannot start a process", "what=%s why=%s", "porter", strerror(errno));
		look_free(look);
	}
}

/* ---- the end of an attempt ---- */

static void run_free(struct run *run)
{
	run->courier->runs[run->place] = NULL;
	if (run->kind == NULL)
		run->courier->inherited--;
	if (run->config != NULL)
		config_release(&run->config);
	pl_task_release(&run->claim);
	pl_free(run);
}

static void on_noted(void *arg, const bool *done, const struct pl_err *err)
{
	struct ask *ask = arg;
	struct courier *c = ask->courier;

	PL_UNUSED(done);
	if (c == living) {
		ask->run->noting = false;
		if (err != NULL) {
			pl_log(PL_LOG_WARN, NULL, "outcome of a job not stored yet", "id=%.*s error=%s",
			    PL_FMT(ask->run->job->id), pl_err_info(err->code)->code);
			arm(c->note, NOTE_AGAIN_S * 1000);
		} else {
			shm_outcome_clear(c->svc->shm, ask->run->place);
			run_free(ask->run);
			round_now(c);
		}
	}
	ask_free(ask);
}

static void note(struct run *run)
{
	struct ask *ask = ask_new(run->courier);
	const struct job_end *end = &run->end;

	ask->run = run;
	run->noting = true;
	repo_job_end(run->courier->svc->db, ask->task, run->job->id, end->result,
	    end->why[0] != '\0' ? pl_str(end->why) : PL_STR_NONE, end->delay_us, on_noted, ask);
}

static void on_note(evutil_socket_t fd, short what, void *arg)
{
	struct courier *c = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	for (int i = 0; i < PORTERS_MAX; i++)
		if (c->runs[i] != NULL && c->runs[i]->porter == NULL && !c->runs[i]->noting)
			note(c->runs[i]);
}

static void count(const struct run *run)
{
	struct shm *shm = run->courier->svc->shm;

	shm_count(shm, SHM_M_jobs_running, -1);
	shm_count(shm, run->kind->ended[run->end.result], 1);
}

static void ended(struct run *run)
{
	const struct job_end *end = &run->end;
	const struct job *job = run->job;

	count(run);
	tell_peer(run->courier, run->kind, run->config, end->peer, end->why);
	if (end->result == JOB_DONE)
		pl_log(PL_LOG_DEBUG, NULL, "job done", "id=%.*s kind=%s", PL_FMT(job->id), run->kind->name);
	else
		pl_log(end->result == JOB_DEAD ? PL_LOG_WARN : PL_LOG_INFO, NULL,
		    end->result == JOB_DEAD ? "job given up" : "job failed; it will be repeated",
		    "id=%.*s kind=%s try=%d why=%s", PL_FMT(job->id), run->kind->name, job->tries, end->why);
	note(run);
}

static void read_outcome(struct run *run, const struct porter_end *end, const char *died)
{
	struct job_report report = { .words = end->report, .bytes = end->bytes, .died = died,
		.shm = run->courier->svc->shm, .place = run->place };

	job_report_read(&report, &run->end);
}

static void on_porter(void *arg, const struct porter_end *end)
{
	struct run *run = arg;
	struct courier *c = run->courier;

	run->porter = NULL;
	read_outcome(run, end, end->whole ? "no outcome" : end->why);
	ended(run);
	round_now(c);
}

/* ---- the start of an attempt ---- */

static void run_work(void *arg, int out)
{
	struct run *run = arg;
	struct shm *shm = run->courier->svc->shm;
	struct job_out words = { .fd = out, .outcome = shm_outcome_keep(&shm, run->place) };

	run->kind->run(run->job, run->config, &words);
}

static const struct job_kind *kind_of(struct pl_str name)
{
	for (int i = 0; i < job_kinds_count; i++)
		if (pl_str_is(name, job_kinds[i].name))
			return &job_kinds[i];
	return NULL;
}

static void run_start(struct courier *c, struct pl_task *claim, const struct job *job)
{
	const struct job_kind *kind = kind_of(job->kind);
	struct run *run = pl_new(sizeof(*run));
	struct porter_opts opts = { .limit_ms = (int64_t)kind->limit_s * 1000, .memory_mb = kind->memory_mb,
		.cpu_s = kind->cpu_s };

	while (c->runs[opts.number] != NULL)
		opts.number++;
	PL_BUG(opts.number >= PORTERS_MAX);
	*run = (struct run){ .courier = c, .place = opts.number, .claim = pl_task_hold(claim), .job = job, .kind = kind,
		.config = config_hold(svc_config(c->svc)) };
	c->runs[run->place] = run;
	shm_outcome_begin(c->svc->shm, run->place, pl_str_c(claim->pool, job->id));
	shm_count(c->svc->shm, SHM_M_jobs_running, 1);
	run->porter = porter_start(c->svc->worker->base, &opts, run_work, on_porter, run);
	if (run->porter != NULL)
		return;
	run->end = (struct job_end){ .result = JOB_RETRY };
	snprintf(run->end.why, sizeof(run->end.why), "Cannot start a process: %s.", strerror(errno));
	ended(run);
}

/* ---- rounds ---- */

struct wanted {
	struct pl_str kinds[JOB_KINDS_MAX], lanes[PORTERS_MAX];
	int64_t lane_max[JOB_KINDS_MAX];
	struct job_claim claim;
};

/* Returns what may start now. false: nothing. */
static bool want(struct courier *c, struct pl_pool *pool, struct wanted *w)
{
	const struct config *config = svc_config(c->svc);
	int64_t most = config->s.jobs_at_once < PORTERS_MAX ? config->s.jobs_at_once : PORTERS_MAX;
	int kinds = 0, lanes = 0, held = 0;

	for (int i = 0; i < job_kinds_count; i++) {
		if (!job_kinds[i].ready(config))
			continue;
		w->kinds[kinds] = pl_str(job_kinds[i].name);
		w->lane_max[kinds] = job_kinds[i].lane_max < most ? job_kinds[i].lane_max : most > 1 ? most - 1 : 1;
		kinds++;
	}
	for (int i = 0; i < PORTERS_MAX; i++) {
		if (c->runs[i] == NULL)
			continue;
		held++;
		if (c->runs[i]->porter != NULL)
			w->lanes[lanes++] = pl_str(pl_sprintf(pool, "%s %.*s", c->runs[i]->kind->name,
			    PL_FMT(c->runs[i]->job->lane)));
	}
	w->claim = (struct job_claim){ .kinds = w->kinds, .lane_max = w->lane_max, .kinds_count = kinds,
		.lanes = w->lanes, .lanes_count = lanes };
	w->claim.limit = (int)most - lanes < PORTERS_MAX - held ? (int)most - lanes : PORTERS_MAX - held;
	return kinds > 0 && w->claim.limit > 0;
}

static void on_next(void *arg, const int64_t *us, const struct pl_err *err)
{
	struct ask *ask = arg;
	int64_t ms = IDLE_S * 1000;

	if (ask->courier == living && err == NULL) {
		if (*us >= 0 && *us / 1000 + 1 < ms)
			ms = *us / 1000 + 1;
		arm(ask->courier->round, ms);
	} else if (ask->courier == living) {
		arm(ask->courier->round, 1000);
	}
	ask_free(ask);
}

static void ask_next(struct courier *c, const struct wanted *w)
{
	struct ask *ask = ask_new(c);

	repo_jobs_next(c->svc->db, ask->task, w->claim.kinds, w->claim.kinds_count, on_next, ask);
}

/* A claim has ended, or jobs were put back. */
static void free_again(struct courier *c)
{
	c->busy = false;
	if (c->again || c->untended) {
		c->again = false;
		round_now(c);
	}
}

static void on_claimed(void *arg, const struct job_list *list, const struct pl_err *err)
{
	struct ask *ask = arg;
	struct courier *c = ask->courier;
	struct wanted w;

	if (c == living) {
		for (int i = 0; err == NULL && !c->draining && i < list->count; i++)
			run_start(c, ask->task, &list->rows[i]);
		if (err == NULL && c->draining) {
			c->untended = c->untended || list->count > 0;	/* puts the claimed jobs back */
		} else if (err != NULL) {
			c->untended = true;	/* it may have claimed some */
			c->busy = false;
			arm(c->round, 1000);
		} else if (list->count == ask->limit) {
			c->again = true;
		} else if (!c->again && want(c, ask->task->pool, &w)) {
			ask_next(c, &w);
		}
		if (err == NULL)
			free_again(c);
	}
	ask_free(ask);
}

static void on_counted(void *arg, const struct job_counts *counts, const struct pl_err *err)
{
	struct ask *ask = arg;
	struct shm *shm = ask->courier == living ? living->svc->shm : NULL;

	if (shm != NULL && err == NULL) {
		atomic_store(&shm->counters[shm->slot].metric[SHM_M_jobs_waiting], counts->waiting);
		atomic_store(&shm->counters[shm->slot].metric[SHM_M_jobs_given_up], counts->dead);
	}
	ask_free(ask);
}

static void on_tended(void *arg, const int64_t *rows, const struct pl_err *err)
{
	struct ask *ask = arg;
	struct courier *c = ask->courier;

	if (c == living && err != NULL) {
		c->busy = false;
		arm(c->round, 1000);
	} else if (c == living) {
		contact_made(&c->contact, contact_now_ns());
		if (*rows > 0)
			pl_log(PL_LOG_WARN, NULL, "jobs of a process that ended are queued again", "count=%lld",
			    (long long)*rows);
		c->untended = false;
		c->again = true;
		free_again(c);
	}
	ask_free(ask);
}

/* Returns the name of a courier without its place. */
static const char *life_of(struct pl_pool *pool, struct pl_str owner)
{
	struct pl_str place;

	pl_str_cut(&owner, '/', &place);
	return pl_str_c(pool, owner);
}

static void put_back(struct courier *c, struct ask *ask, const struct job_owners *owners)
{
	size_t bytes = ((size_t)owners->count + 1) * sizeof(struct pl_str);
	struct pl_str held[PORTERS_MAX], *names = pl_alloc(ask->task->pool, bytes);
	struct job_tend tend = { .held = held, .dead.names = names,
		.expired = contact_steady(&c->contact, contact_now_ns()) };

	for (int i = 0; i < owners->count; i++)
		if (!lifeline_held(life_of(ask->task->pool, owners->names[i])))
			names[tend.dead.count++] = owners->names[i];
	for (int i = 0; i < PORTERS_MAX; i++)
		if (c->runs[i] != NULL)
			held[tend.held_count++] = c->runs[i]->job->id;
	repo_jobs_tend(c->svc->db, ask->task, &tend, CONTACT_LEASE_S * PL_US_PER_S, on_tended, ask);
}

static void on_owners(void *arg, const struct job_owners *owners, const struct pl_err *err)
{
	struct ask *ask = arg;

	if (ask->courier != living || err != NULL)
		on_tended(ask, NULL, err);
	else
		put_back(living, ask, owners);
}

static void tend_now(struct courier *c)
{
	struct ask *ask = ask_new(c);

	c->busy = true;
	repo_jobs_owners(c->svc->db, ask->task, on_owners, ask);
	ask = ask_new(c);
	repo_jobs_count(c->svc->db, ask->task, on_counted, ask);
}

static void look_around(struct courier *c)
{
	const struct config *config = svc_config(c->svc);

	for (int i = 0; i < job_kinds_count; i++)
		if (job_kinds[i].look != NULL && c->looks[i] == NULL && pl_now_ns() >= c->look_ns[i] &&
		    job_kinds[i].ready(config))
			look_at(c, &job_kinds[i]);
}

static void round_now(struct courier *c)
{
	struct ask *ask;
	struct wanted w;

	if (c->busy) {
		c->again = true;
		return;
	}
	if (c->untended && c->inherited == 0)
		tend_now(c);
	if (c->untended || c->draining)
		return;
	ask = ask_new(c);
	if (!want(c, ask->task->pool, &w)) {
		ask_free(ask);
		return;
	}
	c->busy = true;
	ask->limit = w.claim.limit;
	repo_jobs_claim(c->svc->db, ask->task, &w.claim, CONTACT_LEASE_S * PL_US_PER_S, on_claimed, ask);
}

static void on_round(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	round_now(arg);
}

static void on_notice(void *arg)
{
	if (arg == living)
		round_now(arg);
}

static void on_tend(evutil_socket_t fd, short what, void *arg)
{
	struct courier *c = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	c->untended = true;
	arm(c->tend, CONTACT_TEND_S * 1000);
	round_now(c);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct courier *c = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	look_around(c);
	arm(c->look, 1000);
}

/* Takes over outcomes that the predecessor in this daemon knew, but PostgreSQL perhaps does not. */
static void inherit(struct courier *c)
{
	char id[PL_UUID_LEN + 1];
	struct job_end end;
	struct job *job;
	struct run *run;

	for (int i = 0; i < PORTERS_MAX; i++) {
		if (!job_outcome_read(c->svc->shm, i, id, &end)) {
			shm_outcome_clear(c->svc->shm, i);
			continue;
		}
		run = pl_new(sizeof(*run));
		*run = (struct run){ .courier = c, .place = i, .claim = pl_task_new(INT64_MAX), .end = end };
		run->job = job = pl_alloc(run->claim->pool, sizeof(*job));
		job->id = pl_str(pl_strdup(run->claim->pool, id));
		c->runs[i] = run;
		c->inherited++;
		note(run);
	}
}

static void take_lifeline(struct courier *c)
{
	struct pl_pool *pool = pl_pool_new(0);

	c->lifeline = lifeline_take(life_of(pool, repo_jobs_owner(c->svc->db, pool)));
	if (c->lifeline < 0)
		pl_log(PL_LOG_ERROR, NULL, "no lifeline", "why=%s", strerror(errno));
	pl_pool_free(&pool);
}

struct courier *courier_new(struct svc *svc)
{
	struct courier *c = pl_new(sizeof(*c));
	struct event_base *base = svc->worker->base;

	c->svc = svc;
	c->untended = true;
	contact_init(&c->contact, contact_now_ns());
	c->round = evtimer_new(base, on_round, c);
	c->tend = evtimer_new(base, on_tend, c);
	c->note = evtimer_new(base, on_note, c);
	c->look = evtimer_new(base, on_look, c);
	PL_BUG(c->round == NULL || c->tend == NULL || c->note == NULL || c->look == NULL);
	living = c;
	take_lifeline(c);
	arm(c->tend, CONTACT_TEND_S * 1000);
	arm(c->look, 0);
	inherit(c);
	arm(c->round, 0);
	repo_jobs_listen(svc->db, on_notice, c);
	return c;
}

void courier_wake(struct courier *c)
{
	memset(c->look_ns, 0, sizeof(c->look_ns));
	look_around(c);
	round_now(c);
}

static void looks_stop(struct courier *c)
{
	struct porter_end end;

	for (int i = 0; i < job_kinds_count; i++) {
		if (c->looks[i] == NULL)
			continue;
		porter_kill(&c->looks[i]->porter, &end);
		look_free(c->looks[i]);
	}
}

void courier_drain(struct courier *c)
{
	c->draining = true;
	event_del(c->round);
	event_del(c->look);
	looks_stop(c);
}

bool courier_idle(const struct courier *c)
{
	for (int i = 0; i < PORTERS_MAX; i++)
		if (c->runs[i] != NULL)
			return false;
	return !c->busy;
}

void courier_cut(struct courier *c)
{
	struct porter_end end;

	courier_drain(c);
	for (int i = 0; i < PORTERS_MAX; i++) {
		struct run *run = c->runs[i];

		if (run == NULL || run->porter == NULL)
			continue;
		porter_kill(&run->porter, &end);
		read_outcome(run, &end, "the server stops");
		ended(run);
	}
}

void courier_free(struct courier **courier)
{
	struct courier *c = *courier;

	*courier = NULL;
	if (c == NULL)
		return;
	courier_cut(c);
	living = NULL;
	for (int i = 0; i < PORTERS_MAX; i++)
		if (c->runs[i] != NULL)
			run_free(c->runs[i]);
	event_free(c->round);
	event_free(c->tend);
	event_free(c->note);
	event_free(c->look);
	if (c->lifeline >= 0)
		close(c->lifeline);
	pl_free(c);
}

/* SPDX-License-Identifier: ISC */
/*
 * The database side of one process: opens and closes its connections, checks deadlines, and runs deferred completions.
 */
#include "db/db.h"

#include <unistd.h>

#include "clock.h"
#include "db/db_int.h"
#include "db/repo/author.h"
#include "db/repo/names.h"
#include "db/conn/pgconn.h"
#include "leaf.h"
#include "log.h"

#define GROUP_FROM 4	/* number of connections besides the pair from which one is reserved for answers */
#define SHED_TOLD_NS (10 * PL_NS_PER_S)	/* minimum interval between log lines about refused work */

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;
	struct pgquery_list calls = TAILQ_HEAD_INITIALIZER(calls);
	struct pgquery *query;

	TAILQ_CONCAT(&calls, &db->failed, link);
	while ((query = TAILQ_FIRST(&calls)) != NULL) {
		TAILQ_REMOVE(&calls, query, link);
		pgquery_finish(query, NULL, &query->fail);
		pgquery_free(&query);
	}
	wgroup_again(db->wgroup);
}

void db_again(struct db *db)
{
	struct timeval now = { 0, 0 };

	if (!event_pending(db->ev_again, EV_TIMEOUT, NULL))
		event_add(db->ev_again, &now);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	db_turn(arg);
}

void db_want_turn(struct db *db)
{
	struct timeval now = { 0, 0 };

	if (db->turn_wanted)
		return;
	db->turn_wanted = true;
	event_add(db->ev_turn, &now);
}

void db_arm_sweep(struct db *db)
{
	struct timeval tv = { 0, DB_SWEEP_MS * 1000 };

	if (db->sweeping)
		return;
	db->sweeping = true;
	event_add(db->ev_sweep, &tv);
}

/* Completes a query whose deadline has passed. If it was sent, its result is dropped when it comes. */
static void sweep_call(struct pgquery *query, int64_t now_ns, bool up)
{
	bool late = query->task != NULL && now_ns >= query->task->deadline_ns;
	bool stop = query->task != NULL && query->task->cancelled;
	enum pl_code code = late ? PL_E_DEADLINE : PL_E_CANCELLED;
	struct pgquery_list *queue = query->queue;

	if ((!late && !stop) || queue == &query->db->failed)
		return;
	if (query->sent && query->stmt->class == STMT_PLAIN) {
		if (!late)
			return;		/* a write was sent: its outcome is worth the wait */
		code = PL_E_WRITE_UNKNOWN;
	} else if (late && !up) {
		code = PL_E_DB_AWAY;
	}
	if (queue != NULL)
		TAILQ_REMOVE(queue, query, link);
	pgquery_fail(query, code, code == PL_E_DB_AWAY ? DB_RETRY_AFTER_S : 0);
	if (queue != NULL)
		pgquery_free(&query);
}

void db_tick(struct db *db, struct pgconn *conn)
{
	pgconn_tick(conn);
	if (pgconn_silent_ms(conn) > db->silent_ms)
		db->silent_ms = pgconn_silent_ms(conn);
}

void db_slow_set(struct db *db, const struct stmt *stmt, bool slow)
{
	db->slow_until_ns[STMT_ID(stmt)] = slow ? pl_now_ns() + DB_SLOW_MS * PL_NS_PER_MS : 0;
}

bool db_slow(struct db *db, const struct stmt *stmt)
{
	int64_t *until_ns = &db->slow_until_ns[STMT_ID(stmt)];

	if (*until_ns != 0 && pl_now_ns() >= *until_ns)
		*until_ns = 0;
	return *until_ns != 0;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;
	int64_t now_ns = pl_now_ns();
	bool up = db_up(db);
	struct pgquery *query = TAILQ_FIRST(&db->active), *next;

	db->sweeping = false;
	for (; query != NULL; query = next) {
		next = TAILQ_NEXT(query, active);
		sweep_call(query, now_ns, up);
	}
	db->silent_ms = 0;
	wgroup_sweep(db->wgroup, now_ns);
	if (db->read != NULL)
		pgread_sweep(db->read);
	if (db->group != NULL)
		pggroup_sweep(db->group);
	pgplain_sweep(db->plain);
	if (!db_idle(db))
		db_arm_sweep(db);
}

static void on_trim(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	pgplain_trim(db->plain);
}

/* Returns how much of db_connections remains for the other connections of this process (SETTINGS_DB_HELD). */
static int rest_budget(const struct db *db)
{
	int64_t workers = db->config->s.workers;
	int64_t budget = (db->config->s.db_connections - SETTINGS_DB_HELD(workers)) / workers;

	if (db->aside || budget < 1)
		return 1;
	return (int)budget;
}

static void identify(struct db *db)
{
	struct shm *shm = db->shm;
	uint32_t workers_max, place;

	db->who = "w";
	if (gethostname(db->host, sizeof(db->host) - 1) != 0)
		memcpy(db->host, "?", 2);
	lifeline_place(db->place);
	if (shm == NULL) {
		db->boot = (int64_t)(pl_random_u64() >> 1);
		return;
	}
	workers_max = shm->head->sizes.workers_max;
	db->boot = (int64_t)(shm_tag(shm, "boot", 4) >> 1);
	db->slot_generation = atomic_load(&shm->scores[shm->slot].generation);
	place = (uint32_t)db->slot % (workers_max + SHM_ASIDE);
	db->aside = place >= workers_max;
	db->who = !db->aside ? "w" : place == workers_max ? "clerk" : "courier";
}

struct db *db_new(struct event_base *base, struct shm *shm, const struct config *config, int slot)
{
	static const struct timeval second = { 1, 0 };
	struct db *db = pl_new(sizeof(*db));
	int rest;

	*db = (struct db){ .base = base, .shm = shm, .config = config_hold(config), .slot = slot };
	shed_init(&db->shed, config->s.shed_age * PL_NS_PER_MS, config->s.shed_interval * PL_NS_PER_MS, pl_now_ns());
	TAILQ_INIT(&db->active);
	TAILQ_INIT(&db->failed);
	identify(db);
	rest = rest_budget(db);
	db->ev_again = evtimer_new(base, on_again, db);
	db->ev_sweep = evtimer_new(base, on_sweep, db);
	db->ev_turn = evtimer_new(base, on_turn, db);
	db->ev_trim = event_new(base, -1, EV_PERSIST, on_trim, db);
	event_add(db->ev_trim, &second);
	db->lookup = lookup_new(base);
	db->authors = authors_new(db);
	if (!db->aside)
		db->read = pgread_new(db);
	if (rest >= GROUP_FROM) {
		db->group = pggroup_new(db);
		rest--;
	}
	db->plain = pgplain_new(db, rest);
	db->wgroup = wgroup_new(db, !db->aside);
	return db;
}

void db_turn(void *arg)
{
	struct db *db = arg;

	if (db->turn_wanted) {
		db->turn_wanted = false;
		event_del(db->ev_turn);
	}
	authors_turn(db->authors);
	if (db->read != NULL)
		pgread_turn(db->read);
	if (db->group != NULL)
		pggroup_turn(db->group);
	wgroup_turn(db->wgroup);
	shed_turn(&db->shed);
	if (db->shm != NULL)
		atomic_store_explicit(
		    &db->shm->counters[db->shm->slot].metric[SHM_M_db_up], db_answers(db), memory_order_relaxed);
}

void db_listen(struct db *db, const char *channel, void (*fn)(void *arg), void *arg)
{
	db->channel = channel;
	db->on_notice = fn;
	db->notice_arg = arg;
	pgplain_listen(db->plain);
}

bool db_up(const struct db *db)
{
	if (db->aside)
		return pgplain_up(db->plain);
	return pgread_up(db->read) && wgroup_up(db->wgroup);
}

bool db_answers(const struct db *db)
{
	const struct settings *s = &db->config->s;

	return db_up(db) && db->silent_ms < s->db_statement_timeout + s->db_answer_timeout / 2;
}

bool db_idle(const struct db *db)
{
	return TAILQ_EMPTY(&db->active) && wgroup_idle(db->wgroup) && pgplain_idle(db->plain) &&
	    (db->read == NULL || pgread_idle(db->read)) && (db->group == NULL || pggroup_idle(db->group));
}

void db_config(struct db *db, const struct config *config)
{
	struct config *old = (struct config *)(uintptr_t)db->config;

	db->config = config_hold(config);
	config_release(&old);
	shed_set(&db->shed, config->s.shed_age * PL_NS_PER_MS, config->s.shed_interval * PL_NS_PER_MS);
}

bool db_overloaded(const struct db *db)
{
	return shed_strict(&db->shed);
}

bool db_admit(struct db *db, enum shed_way way, struct pl_err *err)
{
	static const enum shm_metric counters[] = { [SHED_READ] = SHM_M_shed_read, [SHED_SEND] = SHM_M_shed_send,
		[SHED_OTHER] = SHM_M_shed_other };
	static const char *const words[] = { [SHED_READ] = "read", [SHED_SEND] = "send", [SHED_OTHER] = "other" };
	int64_t now_ns = pl_now_ns();

	if (shed_admit(&db->shed, way, now_ns))
		return true;
	db_count(db, counters[way], 1);
	if (now_ns - db->shed_told_ns > SHED_TOLD_NS) {
		db->shed_told_ns = now_ns;
		pl_log(PL_LOG_WARN, NULL, "overload: new work is refused", "work=%s waiting=%d", words[way],
		    db->shed.lines[way].under_way);
	}
	pl_err_set(err, PL_E_BUSY, NULL);
	err->retry_after_s = 1;
	return false;
}

static void stop_calls(struct pgquery_list *calls)
{
	struct pgquery *query;

	while ((query = TAILQ_FIRST(calls)) != NULL) {
		TAILQ_REMOVE(calls, query, link);
		if (query->sent && query->stmt->class != STMT_READ)
			pgquery_fail(query, PL_E_WRITE_UNKNOWN, 0);
		else
			pgquery_fail(query, PL_E_STOPPING, 0);
		pgquery_free(&query);
	}
}

void db_free(struct db **dbp)
{
	struct db *db = *dbp;
	struct pgquery_list calls = TAILQ_HEAD_INITIALIZER(calls);
	struct config *config = (struct config *)(uintptr_t)db->config;

	*dbp = NULL;
	db->stopping = true;
	authors_stop(db->authors);
	if (db->read != NULL)
		pgread_free(&db->read, &calls);
	if (db->group != NULL)
		pggroup_free(&db->group, &calls);
	pgplain_free(&db->plain, &calls);
	TAILQ_CONCAT(&calls, &db->failed, link);
	stop_calls(&calls);
	wgroup_free(&db->wgroup);
	lookup_free(&db->lookup);
	authors_free(&db->authors);
	PL_BUG(!TAILQ_EMPTY(&db->active));
	event_free(db->ev_again);
	event_free(db->ev_sweep);
	event_free(db->ev_trim);
	event_free(db->ev_turn);
	config_release(&config);
	db_names_fini(db);
	pl_free(db);
}

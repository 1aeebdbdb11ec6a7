/* SPDX-License-Identifier: ISC */
/*
 * Connects the layers in a worker, the clerk, and the courier, and disconnects them at the end. The only file that uses
 * all layers.
 */
#include <stdio.h>

#include "api/http/request.h"
#include "api/recent.h"
#include "api/ws/ws_client.h"
#include "api/ws/ws_user.h"
#include "api/http/www.h"
#include "clock.h"
#include "core/app.h"
#include "db/admin/migrate.h"
#include "log.h"
#include "svc/account/audit.h"
#include "svc/answer/answer.h"
#include "svc/bus/bus.h"
#include "svc/feedback/feedback_request.h"
#include "svc/notify/notify.h"
#include "svc/notify/read_mark.h"
#include "svc/notify/unread.h"
#include "svc/room/role_answer.h"
#include "svc/room/chat.h"
#include "svc/clerk.h"
#include "svc/job/courier.h"
#include "svc/session/forms.h"
#include "svc/room/hub.h"
#include "svc/session/session_live.h"
#include "svc/knowledge/knowledge.h"
#include "svc/room/signaling.h"
#include "svc/oidc/oidc.h"
#include "svc/usage/memo.h"
#include "svc/session/session.h"

#define START_TIME_NS (3 * PL_NS_PER_S)
#define STOP_TIME_NS (2 * PL_NS_PER_S)
#define DRAIN_SPREAD_MS 1000

static struct svc svc;
static struct http_server *http;
static struct http_hooks http_hooks;
static struct event *retry;
static int64_t wait_until_ns;

static void turn(void *arg)
{
	answers_turn(svc.answers);
	bus_turn(svc.bus);
	db_turn(svc.db);
	ws_server_flush(ws_sockets);
	bus_kick(&svc); /* for events of sockets that the flush closed */
}

static void listen_all(struct worker *worker)
{
	for (int i = 0; i < worker->listeners_count && !worker->draining; i++) {
		const struct listener *l = &worker->listeners[i];

		if (!http_server_listen(http, l->fd, l->is_unix, l->operator_side))
			pl_log(PL_LOG_ERROR, NULL, "cannot accept", "addr=%s", l->name);
	}
}

/* ---- ended login sessions must be known before the first request ---- */

static void load_revoked(evutil_socket_t fd, short what, void *arg);

/*
 * Accepts connections when the table is filled and the database is connected. If the database is not reachable at the
 * start, a worker waits START_TIME_NS and then accepts anyway, so that /health can report it. But if the table was
 * never filled, it waits, because a login that was ended must not become valid again.
 */
static void accept_if_ready(void)
{
	struct timeval again = { 0, 20000 };
	bool loaded = atomic_load(&svc.shm->head->revoked_loaded) != 0;

	if (svc.worker->draining)
		return;
	if (loaded && (db_up(svc.db) || pl_now_ns() >= wait_until_ns))
		listen_all(svc.worker);
	else
		evtimer_add(retry, &again);
}

static void on_revoked_loaded(void *arg, const bool *done, const struct pl_err *err)
{
	struct pl_task *task = arg;

	if (err == NULL)
		atomic_store(&svc.shm->head->revoked_loaded, 1);
	accept_if_ready();
	pl_task_release(&task);
}

static void load_revoked(evutil_socket_t fd, short what, void *arg)
{
	struct pl_task *task;

	if (atomic_load(&svc.shm->head->revoked_loaded) != 0) {
		accept_if_ready();
		return;
	}
	task = pl_task_new(pl_now_ns() + 5 * PL_NS_PER_S);
	auth_load_revoked(&svc, task, on_revoked_loaded, task);
}

/* ---- worker ---- */

static bool worker_start(struct worker *worker, char why[512])
{
	svc = (struct svc){ .worker = worker, .shm = worker->shm, .on_revoked = ws_revoked,
		.on_member = ws_member, .on_user = ws_user };
	route_init();
	www_load(PARLOUR_WWWDIR);
	if (!forms_load(PARLOUR_FORMSDIR, why))
		return false;
	svc.db = db_new(worker->base, worker->shm, worker->config, worker->slot);
	svc.httpc = httpc_new(worker->base);
	svc.llm = llm_new(worker->base, svc.httpc, worker->shm);
	svc.bus = bus_new(&svc);
	svc.tokens = auth_cache_new();
	svc.unread = unread_new(&svc);
	svc.marks = read_marks_new(&svc);
	svc.hub = hub_new(&svc);
	svc.chat = chat_new(&svc);
	svc.answers = answers_new(&svc);
	svc.roles = role_answers_new(&svc);
	svc.signaling = signaling_new(&svc);
	svc.memo = memo_new(64, 3);
	svc.translations = memo_new(256, 86400);
	svc.oidc = oidc_cache_new();
	svc.sessions = sessions_new(&svc);
	svc.session_live = session_live_new(&svc);
	svc.knowledge = knowledge_watch_new(&svc);
	svc.recents = recents_new();
	auth_listen(&svc);
	feedback_request_listen(&svc);
	notify_listen(&svc);
	ws_sockets = ws_server_new(worker->base, worker->shm, worker->config);
	http_hooks = (struct http_hooks){ .request = dispatch_request, .admit = dispatch_admit,
		.overloaded = dispatch_overloaded, .refuse = dispatch_refuse_early,
		.finished = access_log_finished, .arg = &svc };
	http = http_server_new(worker->base, worker->shm, worker->config, &http_hooks);
	retry = evtimer_new(worker->base, load_revoked, NULL);
	if (svc.db == NULL || retry == NULL) {
		snprintf(why, 512, "cannot set up the worker");
		return false;
	}
	worker_on_turn(worker, turn, NULL);
	answers_adopt(svc.answers);
	role_answers_mark(svc.roles);
	wait_until_ns = pl_now_ns() + START_TIME_NS;
	load_revoked(-1, 0, NULL);
	return true;
}

static void worker_reload(struct worker *worker, const struct config *old)
{
	char why[512];

	if (!forms_load(PARLOUR_FORMSDIR, why))
		pl_log(PL_LOG_WARN, NULL, "forms not reloaded; the previous forms stay in use", "why=%s", why);
	db_config(svc.db, worker->config);
	http_server_config(http, worker->config);
	ws_server_config(ws_sockets, worker->config);
	ws_keys(&worker->config->keys);
}

static void worker_drain(struct worker *worker, int ws_close_code, bool cut)
{
	http_server_drain(http, !cut);
	ws_server_drain(ws_sockets, ws_close_code, ws_close_code == 1001 ? "stopping" : "restarting", DRAIN_SPREAD_MS);
	if (cut)
		answers_cut(svc.answers);
}

static bool worker_idle(struct worker *worker)
{
	return http_server_pending(http) == 0 && ws_server_count(ws_sockets) == 0 &&
	    answers_running(svc.answers) == 0 && db_idle(svc.db);
}

/* The last chance of running answers: their text is stored and marked as interrupted. */
static void finish_answers(struct worker *worker)
{
	int64_t until_ns = pl_now_ns() + STOP_TIME_NS;
	struct timeval tick = { 0, 20000 };

	answers_cut(svc.answers);
	while (answers_running(svc.answers) > 0 && pl_now_ns() < until_ns) {
		event_base_loopexit(worker->base, &tick);
		event_base_dispatch(worker->base);
		turn(NULL);
	}
}

/* The last chance of read markers. */
static void finish_marks(struct worker *worker)
{
	int64_t until_ns = pl_now_ns() + STOP_TIME_NS;
	struct timeval tick = { 0, 20000 };

	while (db_up(svc.db) && !read_marks_flush(svc.marks) && pl_now_ns() < until_ns) {
		event_base_loopexit(worker->base, &tick);
		event_base_dispatch(worker->base);
		turn(NULL);
	}
}

static void worker_stop(struct worker *worker)
{
	finish_answers(worker);
	finish_marks(worker);
	event_free(retry);
	http_server_free(&http);
	ws_server_free(&ws_sockets);
	answers_close(svc.answers);
	/* completions of these still use the answers and the hub */
	llm_free(&svc.llm);
	httpc_free(&svc.httpc);
	db_free(&svc.db);
	bus_free(&svc.bus);
	chat_free(&svc.chat);
	answers_free(&svc.answers);
	role_answers_free(&svc.roles);
	signaling_free(&svc.signaling);
	sessions_free(&svc.sessions);
	session_live_free(&svc.session_live);
	unread_free(&svc.unread);
	read_marks_free(&svc.marks);
	hub_free(&svc.hub);
	auth_cache_free(&svc.tokens);
	memo_free(&svc.memo);
	memo_free(&svc.translations);
	oidc_cache_free(&svc.oidc);
	knowledge_watch_free(&svc.knowledge);
	recents_free(&svc.recents);
}

static void worker_wake(struct worker *worker, enum wake why, int slot)
{
	bus_wake(svc.bus, why, slot);
	if (why == WAKE_SLOT_DIED) {
		answers_adopt(svc.answers);
	} else if (why == WAKE_TICK) {
		http_server_balance(http);
		recents_tick(svc.recents);
	}
}

const struct app_hooks app_worker_hooks = { .start = worker_start, .reload = worker_reload, .drain = worker_drain,
	.idle = worker_idle, .stop = worker_stop, .wake = worker_wake };

/* ---- clerk ---- */

static struct clerk *clerk;

static void aside_turn(void *arg)
{
	db_turn(svc.db);
}

/* Clerk and courier need a connection to the database. */
static void aside_start(struct worker *worker)
{
	if (worker->single)
		return;
	svc = (struct svc){ .worker = worker, .shm = worker->shm };
	svc.db = db_new(worker->base, worker->shm, worker->config, worker->slot);
	worker_on_turn(worker, aside_turn, NULL);
}

static bool clerk_start(struct worker *worker, char why[512])
{
	aside_start(worker);
	clerk = clerk_new(&svc);
	return true;
}

static void clerk_reload(struct worker *worker, const struct config *old)
{
	if (!worker->single)
		db_config(svc.db, worker->config);
	audit_settings(&svc, old);
}

static void clerk_drain(struct worker *worker, int ws_close_code, bool cut)
{
	clerk_last_round(clerk);
}

/*
 * While workers complete their answers, the clerk records that these run. Otherwise, the clerk of another daemon would
 * mark them.
 */
static bool clerk_is_idle(struct worker *worker)
{
	const struct shm_sizes *sizes = &worker->shm->head->sizes;
	struct shm_gen_info info;

	if (!db_idle(svc.db))
		return false;
	if (worker->single || shm_gen_after(worker->shm, -1, &info) < 0)
		return true;
	for (int i = 0; i < (int)sizes->slots; i++) {
		if ((uint32_t)i % (sizes->workers_max + SHM_ASIDE) < sizes->workers_max &&
		    shm_slot_live(worker->shm, i))
			return false;
	}
	return true;
}

static void clerk_stop(struct worker *worker)
{
	if (!worker->single)
		db_free(&svc.db);
	clerk_free(&clerk);
}

const struct app_hooks app_clerk_hooks = { .start = clerk_start, .reload = clerk_reload, .drain = clerk_drain,
	.idle = clerk_is_idle, .stop = clerk_stop };

/* ---- courier ---- */

static struct courier *courier;

static bool courier_start(struct worker *worker, char why[512])
{
	aside_start(worker);
	courier = courier_new(&svc);
	return true;
}

static void courier_reload(struct worker *worker, const struct config *old)
{
	if (!worker->single)
		db_config(svc.db, worker->config);
	courier_wake(courier);
}

static void courier_begin_drain(struct worker *worker, int ws_close_code, bool cut)
{
	courier_drain(courier);
}

static bool courier_is_idle(struct worker *worker)
{
	return courier_idle(courier) && db_idle(svc.db);
}

/* Kills running jobs and records that, so that their pause begins now. */
static void courier_stop(struct worker *worker)
{
	int64_t until_ns = pl_now_ns() + STOP_TIME_NS;
	struct timeval tick = { 0, 20000 };

	courier_cut(courier);
	while (!courier_idle(courier) && pl_now_ns() < until_ns) {
		event_base_loopexit(worker->base, &tick);
		event_base_dispatch(worker->base);
		db_turn(svc.db);
	}
	if (!worker->single)
		db_free(&svc.db);
	courier_free(&courier);
}

const struct app_hooks app_courier_hooks = { .start = courier_start, .reload = courier_reload,
	.drain = courier_begin_drain, .idle = courier_is_idle, .stop = courier_stop };

bool app_check(char why[512])
{
	return forms_check(PARLOUR_FORMSDIR, why);
}

int app_preflight(const struct config *config, char why[512])
{
	if (config->s.db[0] == '\0') {
		snprintf(why, 512, "db is not set: it needs PostgreSQL's connection string, such as "
		    "\"host=/run/postgresql dbname=parlour user=parlour_app\"");
		return MIGRATE_SCHEMA;
	}
	return app_check(why) ? (int)migrate_check(config, why) : MIGRATE_SCHEMA;
}

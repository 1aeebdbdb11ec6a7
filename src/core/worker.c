/* SPDX-License-Identifier: ISC */
/*
 * The loop of a worker. A turn handles events, then runs the turn hooks, then updates the scoreboard.
 *
 * A worker starts, turns, drains (at the master's request, at SIGTERM, or when the master has died), waits until it is
 * idle or the deadline passes, and stops.
 */
#include "core/worker_loop.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "core/hasher.h"
#include "core/proc.h"
#include "log.h"

#define TICK_MS 250			/* the longest time between turns of an idle worker; the watchdog sees that
					 * it lives */
#define TICKS_PER_S 4
#define LONGEST_NS (30 * PL_NS_PER_S)	/* half of the minute that loop_max_us covers */
#define TURN_HOOKS_MAX 16
#define CLOSE_AFTER_TURNS 2
#define LISTENERS_MAX 64
#define STATUS_OSERR 71

struct worker *worker_this;

static struct loop {
	const struct app_hooks *hooks;
	struct { void (*fn)(void *arg); void *arg; } turn[TURN_HOOKS_MAX];
	int turn_count, ticks, close_in;
	bool again;
	int64_t tick_due_ns, cpu_ns, longest_us, longest_before_us, longest_since_ns;
	ino_t listener_ino[LISTENERS_MAX];
	struct event *tick, *wake, *term;
} loop;

static void on_complaint(int severity, const char *text)
{
	pl_log(severity >= EVENT_LOG_WARN ? PL_LOG_WARN : PL_LOG_DEBUG, NULL, "libevent", "text=%s", text);
}

static void on_fatal(int error)
{
	PL_UNUSED(error);
	pl_bug("libevent reported a fatal error", __FILE__, __LINE__);
}

struct event_base *worker_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	event_set_log_callback(on_complaint);
	event_set_fatal_callback(on_fatal);
	if (config != NULL &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	PL_BUG(base == NULL);
	return base;
}

void worker_on_turn(struct worker *worker, void (*fn)(void *arg), void *arg)
{
	PL_UNUSED(worker);
	PL_BUG(loop.turn_count == TURN_HOOKS_MAX);
	loop.turn[loop.turn_count].fn = fn;
	loop.turn[loop.turn_count++].arg = arg;
}

void worker_again(struct worker *worker)
{
	PL_UNUSED(worker);
	loop.again = true;
}

static struct shm_score *score_of(const struct worker *worker)
{
	return &worker->shm->scores[worker->slot];
}

static int64_t cpu_now_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * PL_NS_PER_S + used.tv_nsec;
}

static void turn_took(struct worker *worker, int64_t us, int64_t now_ns)
{
	int64_t longest_us;

	if (now_ns - loop.longest_since_ns > LONGEST_NS) {
		loop.longest_before_us = loop.longest_us;
		loop.longest_us = 0;
		loop.longest_since_ns = now_ns;
	}
	if (us > loop.longest_us)
		loop.longest_us = us;
	longest_us = loop.longest_us > loop.longest_before_us ? loop.longest_us : loop.longest_before_us;
	atomic_store_explicit(&worker->shm->counters[worker->slot].metric[SHM_M_loop_max_us], longest_us,
	    memory_order_relaxed);
}

/*
 * libevent does not report when a wait ended. So a turn is measured in two ways: by the processor time that it used,
 * and every TICK_MS by the delay of the tick, which also detects a blocked loop.
 */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	int64_t now_ns = pl_now_ns();
	struct timeval next = { .tv_usec = TICK_MS * 1000 };

	PL_UNUSED(fd);
	PL_UNUSED(what);
	turn_took(worker, (now_ns - loop.tick_due_ns) / 1000, now_ns);
	loop.tick_due_ns = now_ns + TICK_MS * PL_NS_PER_MS;
	shm_count_dropped(&worker->shm->counters[worker->slot].metric[SHM_M_log_dropped]);
	evtimer_add(loop.tick, &next);
	if (++loop.ticks % TICKS_PER_S == 0 && loop.hooks->wake != NULL)
		loop.hooks->wake(worker, WAKE_TICK, -1);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t count;

	PL_UNUSED(what);
	while (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		;
	if (loop.hooks->wake != NULL)
		loop.hooks->wake(worker, WAKE_EVENTS, -1);
}

/* SIGTERM was sent to this process alone: it drains and ends, and the master starts another one. */
static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	worker_drain(worker, 1001, pl_now_ns() + worker->config->s.stop_timeout * PL_NS_PER_MS, true);
}

/*
 * The application has removed its events from the sockets; the changelist passes this to the kernel at the next
 * dispatch. Other processes share the listener, so if it were closed earlier, it would remain in epoll indefinitely.
 */
static void close_listeners(struct worker *worker)
{
	for (int i = 0; i < worker->listeners_count && i < LISTENERS_MAX; i++) {
		const struct listener *item = &worker->listeners[i];
		struct stat st;

		if (loop.listener_ino[i] != 0 && fstat(item->fd, &st) == 0 && st.st_ino == loop.listener_ino[i])
			close(item->fd);
		loop.listener_ino[i] = 0;
	}
}

static void note_listeners(const struct worker *worker)
{
	for (int i = 0; i < worker->listeners_count && i < LISTENERS_MAX; i++) {
		struct stat st;

		if (fstat(worker->listeners[i].fd, &st) == 0)
			loop.listener_ino[i] = st.st_ino;
	}
}

void worker_drain(struct worker *worker, int ws_close_code, int64_t deadline_ns, bool cut)
{
	if (!worker->draining || deadline_ns < worker->drain_deadline_ns)
		worker->drain_deadline_ns = deadline_ns;
	if (!worker->draining)
		loop.close_in = CLOSE_AFTER_TURNS + 1;
	worker->draining = true;
	atomic_store(&score_of(worker)->state, SHM_DRAINING);
	pl_log(PL_LOG_INFO, NULL, "draining", "code=%d cut=%s left_ms=%lld", ws_close_code, cut ? "yes" : "no",
	    (long long)((worker->drain_deadline_ns - pl_now_ns()) / PL_NS_PER_MS));
	if (loop.hooks->drain != NULL)
		loop.hooks->drain(worker, ws_close_code, cut);
	worker_again(worker);
}

static bool events_make(struct worker *worker)
{
	struct timeval first = { .tv_usec = TICK_MS * 1000 };

	loop.tick = evtimer_new(worker->base, on_tick, worker);
	loop.wake = event_new(worker->base, worker->shm->wake_fd[worker->slot], EV_READ | EV_PERSIST, on_wake, worker);
	if (!worker->single)
		loop.term = evsignal_new(worker->base, SIGTERM, on_term, worker);
	loop.longest_since_ns = pl_now_ns();
	loop.tick_due_ns = loop.longest_since_ns + TICK_MS * PL_NS_PER_MS;
	loop.cpu_ns = cpu_now_ns();
	return evtimer_add(loop.tick, &first) == 0 && event_add(loop.wake, NULL) == 0 &&
	    (loop.term == NULL || evsignal_add(loop.term, NULL) == 0);
}

static void event_drop(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static void turn_end(struct worker *worker)
{
	int64_t now_ns, cpu_ns;

	for (int i = 0; i < loop.turn_count; i++)
		loop.turn[i].fn(loop.turn[i].arg);
	now_ns = pl_now_ns();
	if (pl_memory_tend(now_ns))
		now_ns = pl_now_ns();
	cpu_ns = cpu_now_ns();
	turn_took(worker, (cpu_ns - loop.cpu_ns) / 1000, now_ns);
	loop.cpu_ns = cpu_ns;
	atomic_store_explicit(&score_of(worker)->last_turn_ns, now_ns, memory_order_relaxed);
	if (loop.close_in > 0) {
		if (--loop.close_in == 0)
			close_listeners(worker);
		else
			loop.again = true;
	}
}

static bool ended(const struct worker *worker)
{
	if (!worker->draining || loop.close_in > 0)
		return false;
	return pl_now_ns() >= worker->drain_deadline_ns || loop.hooks->idle == NULL ||
	    loop.hooks->idle((struct worker *)worker);
}

static void turns(struct worker *worker)
{
	while (!ended(worker)) {
		int flags = EVLOOP_ONCE | (loop.again ? EVLOOP_NONBLOCK : 0);

		loop.again = false;
		if (event_base_loop(worker->base, flags) < 0)
			pl_bug("event_base_loop", __FILE__, __LINE__);
		turn_end(worker);
	}
}

static void worker_fini(struct worker *worker)
{
	if (loop.hooks->stop != NULL)
		loop.hooks->stop(worker);
	hasher_client_free(&worker->hasher);
	event_drop(&loop.tick);
	event_drop(&loop.wake);
	event_drop(&loop.term);
}

int worker_run(struct worker *worker, const struct app_hooks *hooks, int channel_fd)
{
	struct worker_channel *channel;
	char why[512] = "";
	bool good;

	worker_this = worker;
	loop.hooks = hooks;
	if (!worker->single)
		shm_count_dropped(NULL);
	if (worker->base == NULL)
		worker->base = worker_base_new();
	if (worker->hasher != NULL)
		hasher_client_config(worker->hasher, worker->config);
	note_listeners(worker);
	channel = worker_channel_new(worker, hooks, channel_fd);
	good = events_make(worker) && (hooks->start == NULL || hooks->start(worker, why));
	if (good) {
		atomic_store(&score_of(worker)->state, SHM_RUNNING);
		worker_channel_say(channel, CHANNEL_UP, "");
		turns(worker);
		worker_fini(worker);
	} else {
		worker_channel_say(channel, CHANNEL_FAILED, why[0] != '\0' ? why : "cannot create events");
		hasher_client_free(&worker->hasher);
		event_drop(&loop.tick);
		event_drop(&loop.wake);
		event_drop(&loop.term);
	}
	worker_channel_free(&channel);
	event_base_free(worker->base);
	worker->base = NULL;
	worker_this = NULL;
	config_release((struct config **)&worker->config);
	return good ? 0 : STATUS_OSERR;
}

/* SPDX-License-Identifier: ISC */
/* The HTTP server of one worker: creation, configuration, balancing, draining, and end. */
#include "net/http_int.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define DRAIN_IDLE_MS 1000

enum { FDS_KEPT_BACK = 64, BY_FD_FIRST = 256 };

static int64_t conns_max(const struct config *config)
{
	struct rlimit limit;

	if (config->s.max_connections > 0)
		return config->s.max_connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return INT32_MAX;
	return limit.rlim_cur > 2 * FDS_KEPT_BACK ? (int64_t)limit.rlim_cur - FDS_KEPT_BACK :
	    (int64_t)limit.rlim_cur / 2;
}

void http_server_config(struct http_server *server, const struct config *config)
{
	struct config *old = server->config;
	int bad;

	server->config = config_hold(config);
	if (old != NULL)
		config_release(&old);
	pl_pool_free(&server->rules);
	server->rules = pl_pool_new(0);
	bad = http_nets_make(&server->proxies, server->rules, &config->s.trusted_proxies);
	if (bad > 0)
		pl_log(PL_LOG_WARN, NULL, "trusted_proxies has entries that are not networks", "ignored=%d", bad);
	server->conns_max = conns_max(config);
}

static void on_tick(void *arg)
{
	struct http_server *server = arg;

	pl_time_http(pl_wall_us(), server->date);
	http_listeners_tick(server);
}

static void on_bind(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	http_conns_bind(arg);
}

struct http_server *http_server_new(struct event_base *base, struct shm *shm, const struct config *config,
    const struct http_hooks *hooks)
{
	struct http_server *server = pl_new(sizeof(*server));

	server->base = base;
	server->shm = shm;
	server->hooks = *hooks;
	http_server_config(server, config);
	server->by_fd_count = BY_FD_FIRST;
	server->by_fd = pl_new(sizeof(*server->by_fd) * BY_FD_FIRST);
	server->spare_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	server->bind_event = event_new(base, -1, 0, on_bind, server);
	PL_BUG(server->bind_event == NULL);
	wheel_init(&server->wheel, base, http_conn_expired, on_tick, server);
	on_tick(server);
	return server;
}

int http_server_pending(const struct http_server *server)
{
	return server->draining && server->gentle ? server->conns_count : server->pending;
}

void http_server_balance(struct http_server *server)
{
	const struct shm *shm = server->shm;
	int64_t sum = 0, own = atomic_load_explicit(&shm->scores[shm->slot].sockets, memory_order_relaxed);
	int workers = 0;

	for (int slot = 0; slot < (int)shm->head->sizes.slots; slot++) {
		struct shm_score *score = &shm->scores[slot];

		if (!shm_slot_live(shm, slot) || atomic_load(&score->is_aside) != 0 ||
		    atomic_load(&score->state) != SHM_RUNNING)
			continue;
		sum += atomic_load_explicit(&score->sockets, memory_order_relaxed);
		workers++;
	}
	if (workers > 1 && own * workers > sum * 5 / 4 + 32 * workers)
		http_listeners_pause(server, false, 1);
}

/*
 * Closes idle connections at once or, if gentle, after DRAIN_IDLE_MS without a byte, because a client may just be
 * sending a request on a connection that was accepted a moment ago. Other connections close after their reply
 * (req_reply.c checks `draining`).
 */
void http_server_drain(struct http_server *server, bool gentle)
{
	struct http_conn *conn, *next;

	server->draining = true;
	server->gentle = gentle;
	http_listeners_stop(server);
	http_conns_bind(server);
	for (conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->ev == NULL && conn->guard.phase == GUARD_START && conn->delivered == conn->guard.messages &&
		    !conn->lingering) {
			if (gentle)
				wheel_set_ms(&server->wheel, &conn->wheel, DRAIN_IDLE_MS);
			else
				http_conn_close(conn);
		}
	}
}

void http_server_free(struct http_server **serverp)
{
	struct http_server *server = *serverp;
	struct http_listener *listener;

	*serverp = NULL;
	if (server == NULL)
		return;
	server->freeing = true;
	http_listeners_stop(server);
	http_conns_bind(server);
	http_steals_drop(server);
	while (server->conns != NULL)
		http_conn_close(server->conns);
	while ((listener = server->listeners) != NULL) {
		server->listeners = listener->next;
		http_listener_free(listener);
	}
	wheel_fini(&server->wheel);
	event_free(server->bind_event);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	pl_free(server->by_fd);
	pl_buf_fini(&server->head);
	pl_pool_free(&server->rules);
	config_release(&server->config);
	pl_free(server);
}

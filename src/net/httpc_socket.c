/* SPDX-License-Identifier: ISC */
/*
 * Connects libcurl's multi_socket interface with libevent: libcurl names the sockets to watch and one timer; events and
 * timeouts are reported to it.
 */
#include "net/httpc_curl.h"

#include <pthread.h>
#include <signal.h>

enum { POOLED_CONNECTIONS_MAX = 64 };

struct httpc_socket {
	struct httpc *client;
	struct event *event;
};

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct httpc_socket *sock = arg;
	int events = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	httpc_socket_action(sock->client, fd, events);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	httpc_socket_action(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_forget(struct httpc *client, curl_socket_t fd, struct httpc_socket *sock)
{
	if (sock == NULL)
		return;
	curl_multi_assign(client->multi, fd, NULL);
	event_free(sock->event);
	pl_free(sock);
}

/* libcurl asks to watch fd for `what`, or to stop watching it. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct httpc *client = arg;
	struct httpc_socket *sock = socket_arg;
	short events = EV_PERSIST;

	PL_UNUSED(easy);
	if (what == CURL_POLL_REMOVE) {
		socket_forget(client, fd, sock);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		events |= EV_READ;
	if (what != CURL_POLL_IN)
		events |= EV_WRITE;
	if (sock == NULL) {
		sock = pl_new(sizeof(*sock));
		sock->client = client;
		curl_multi_assign(client->multi, fd, sock);
	} else {
		event_free(sock->event);
	}
	sock->event = event_new(client->base, fd, events, on_ready, sock);
	PL_BUG(sock->event == NULL || event_add(sock->event, NULL) != 0);
	return 0;
}

/* libcurl calls this from within its other functions. So it only sets the timer, and the loop does the work later. */
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
	struct httpc *client = arg;
	struct timeval wait = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

	PL_UNUSED(multi);
	if (timeout_ms < 0)
		evtimer_del(client->timer);
	else
		evtimer_add(client->timer, &wait);
	return 0;
}

void httpc_socket_init(struct httpc *client)
{
	client->timer = evtimer_new(client->base, on_timer, client);
	PL_BUG(client->timer == NULL);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)POOLED_CONNECTIONS_MAX);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

void httpc_socket_fini(struct httpc *client)
{
	event_free(client->timer);
	client->timer = NULL;
}

static void harvest(struct httpc *client)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(client->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		struct httpc_transfer *transfer = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer);
		httpc_ended(transfer, code);	/* `msg` is invalid after this */
	}
}

void httpc_socket_action(struct httpc *client, curl_socket_t fd, int events)
{
	sigset_t all, old;
	int running;

	/* A name lookup starts a thread that inherits the mask. Signals must be handled by the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	client->inside = true;
	curl_multi_socket_action(client->multi, fd, events, &running);
	client->inside = false;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	harvest(client);
	httpc_work(client);
}

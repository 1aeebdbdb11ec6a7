/* SPDX-License-Identifier: ISC */
/*
 * A small server that consists of lib and src/net only, driven by tests/e2e/test_http_front.py.
 *
 *   net_probe [-p PORT] [-u SOCKET] [-o] [key=value ...]     settings as in parlour.conf
 *
 * -o: overload is permanent, and requests for /busy are refused because of it.
 *
 * It prints "port=N" when it accepts connections. Every request is recorded before anything else happens, so that
 * /probe/log shows whether bytes of one request were run as another one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "net/http.h"
#include "net/ws.h"

enum { NOTES_MAX = 256, OVERRIDES_MAX = 64, STREAMS_CHUNK = 65536 };

static struct probe {
	struct event_base *base;
	struct later *held;		/* by /held, until /release */
	struct http_server *http;
	struct ws_server *ws;
	struct shm *shm;
	struct config *config;
	struct pl_buf notes;
	int notes_count, finished, gone, ws_closed, ws_code;
	int refused;
	bool quit, overload;
} probe;

/* A deferred reply or a stream in progress. Without a timer: one in the list probe.held. */
struct later {
	struct event *timer;
	struct later *next;
	struct req *req;
	struct pl_task *task;
	struct pl_cancel cancel;
	int left, bytes;
	bool stream;
};

static int64_t number(const struct req *req, const char *name, int64_t otherwise)
{
	bool bad;
	int64_t value;

	return pl_str_i64(req_query(req, name, &bad), 0, INT32_MAX, &value) ? value : otherwise;
}

static bool path_is(const struct req *req, const char *path)
{
	return pl_str_is(req->path, path);
}

static void note(const struct req *req)
{
	struct pl_jw w;

	if (probe.notes_count++ >= NOTES_MAX)
		return;
	w = PL_JW(&probe.notes);
	if (probe.notes.len > 0)
		pl_buf_addc(&probe.notes, ',');
	pl_jw_cstr(&w, pl_sprintf(req->task->pool, "%d %.*s %zu", (int)req->method, PL_FMT(req->target),
	    req->body.len));
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	static char filler[STREAMS_CHUNK];
	struct later *later = arg;
	bool more = later->stream && later->left-- > 0;

	if (more && !req_stream_chunk(later->req, pl_strn(memset(filler, 's', sizeof(filler)), (size_t)later->bytes)))
		more = false;
	if (more)
		return;
	pl_task_unhook(later->task, &later->cancel);
	if (later->stream)
		req_stream_end(later->req);
	else
		req_reply(later->req, 200, NULL, PL_STR("{\"later\":true}"));
	event_free(later->timer);
	pl_task_release(&later->task);
}

static void release(struct later *later)
{
	pl_task_unhook(later->task, &later->cancel);
	req_reply(later->req, 200, NULL, PL_STR("{\"later\":true}"));
	pl_task_release(&later->task);
}

static void release_all(void)
{
	struct later *later;

	while ((later = probe.held) != NULL) {
		probe.held = later->next;
		release(later);
	}
}

static void on_cancelled(void *arg)
{
	struct later *later = arg;

	if (later->timer != NULL) {
		event_free(later->timer);
	} else {
		struct later **at = &probe.held;

		while (*at != later)
			at = &(*at)->next;
		*at = later->next;
	}
	if (!later->stream)
		req_reply(later->req, 200, NULL, PL_STR("nobody reads this"));
	pl_task_release(&later->task);
}

static void hold(struct req *req)
{
	struct later *later = pl_alloc(req->task->pool, sizeof(*later));

	*later = (struct later){ .req = req, .task = pl_task_hold(req->task), .next = probe.held };
	probe.held = later;
	pl_task_on_cancel(req->task, &later->cancel, on_cancelled, later);
	req_defer(req);
}

static void start_later(struct req *req, bool stream)
{
	struct later *later = pl_alloc(req->task->pool, sizeof(*later));
	int64_t ms = number(req, "ms", 50);
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	later->req = req;
	later->task = pl_task_hold(req->task);
	later->stream = stream;
	later->left = (int)number(req, "n", 5);
	later->bytes = (int)number(req, "bytes", 10);
	if (later->bytes > STREAMS_CHUNK)
		later->bytes = STREAMS_CHUNK;
	later->timer = event_new(probe.base, -1, EV_PERSIST, on_later, later);
	pl_task_on_cancel(req->task, &later->cancel, on_cancelled, later);
	event_add(later->timer, &wait);
	if (stream)
		req_stream_start(req, 200, "text/event-stream");
	else
		req_defer(req);
}

static void reply_log(struct req *req)
{
	struct pl_buf out = PL_BUF(req->task->pool);

	pl_buf_addf(&out, "{\"seen\":[%.*s],\"finished\":%d,\"gone\":%d,\"pending\":%d,"
	    "\"ws\":%d,\"ws_closed\":%d,\"ws_code\":%d,"
	    "\"refused\":%d,\"conns\":%lld}", PL_FMT(probe.notes), probe.finished, probe.gone,
	    http_server_pending(probe.http),
	    ws_server_count(probe.ws), probe.ws_closed, probe.ws_code, probe.refused,
	    (long long)atomic_load(&probe.shm->counters[0].metric[SHM_M_http_conns]));
	probe.notes.len = 0;
	probe.notes_count = 0;
	req_reply(req, 200, NULL, pl_buf_str(&out));
}

static void reply_what(struct req *req)
{
	struct pl_buf out = PL_BUF(req->task->pool);
	struct pl_jw w = PL_JW(&out);
	bool bad;

	pl_jw_object(&w);
	pl_jw_ki64(&w, "method", req->method);
	pl_jw_kstr(&w, "target", req->target);
	pl_jw_ki64(&w, "segments", req->segments);
	pl_jw_kcstr(&w, "addr", req->task->who.addr);
	pl_jw_kcstr(&w, "id", req->task->request_id);
	pl_jw_kbool(&w, "tls", req->forwarded_tls);
	pl_jw_kbool(&w, "origin_ok", req->origin_ok);
	pl_jw_kstr(&w, "q", req_query(req, "q", &bad));
	pl_jw_kbool(&w, "bad", bad);
	pl_jw_kstr(&w, "trailer", req_header(req, "X-Trailer"));
	pl_jw_kstr(&w, "auth", req_header(req, "Authorization"));
	pl_jw_ki64(&w, "body_bytes", (int64_t)req->body.len);
	if (req->body.len <= 4096 && pl_utf8_ok(req->body.ptr, req->body.len))
		pl_jw_kstr(&w, "body", req->body);
	pl_jw_end_object(&w);
	req_reply(req, 200, NULL, pl_buf_str(&out));
}

static void reply_big(struct req *req)
{
	size_t bytes = (size_t)number(req, "bytes", 1 << 20);
	char *body = pl_alloc(req->task->pool, bytes + 1);

	for (size_t i = 0; i < bytes; i++)
		body[i] = (char)('a' + i % 26);
	req_reply(req, 200, "text/plain", pl_strn(body, bytes));
}

static void on_opened(struct ws_conn *conn)
{
	if (ws_conn_user(conn) != NULL)
		ws_send_text(conn, PL_STR("hello"));
}

/* Words that request an action; any other text is sent back. */
static void on_message(struct ws_conn *conn, struct pl_str text)
{
	if (pl_str_is(text, "close"))
		ws_close(conn, 4401, "asked for");
	else if (pl_str_starts(text, "flood ")) {
		struct ws_buf *buf = ws_buf_new(PL_WS_TEXT, pl_strn(text.ptr, text.len));

		for (int i = 0; i < 100000 && ws_send(conn, buf); i++)
			;
		ws_buf_release(&buf);
	} else {
		ws_send_text(conn, text);
	}
}

static void on_closed(struct ws_conn *conn, int code)
{
	probe.ws_closed++;
	probe.ws_code = code;
}

static void on_request(void *arg, struct req *req)
{
	static const struct ws_ops ops = { .opened = on_opened, .message = on_message, .closed = on_closed };
	struct pl_err err;

	if (path_is(req, "/probe/log")) {
		reply_log(req);
		return;
	}
	note(req);
	if (path_is(req, "/hello")) {
		req_reply(req, 200, NULL, PL_STR("{\"message\":\"hello\",\"from\":\"the probe of the front\"}"));
	} else if (path_is(req, "/later")) {
		start_later(req, false);
	} else if (path_is(req, "/held")) {
		hold(req);
	} else if (path_is(req, "/release")) {
		release_all();
		req_reply_empty(req, 204);
	} else if (path_is(req, "/stream")) {
		start_later(req, true);
	} else if (path_is(req, "/big")) {
		reply_big(req);
	} else if (path_is(req, "/empty")) {
		req_reply_empty(req, 204);
	} else if (path_is(req, "/html")) {
		req_reply(req, 200, "text/html; charset=utf-8", PL_STR("<!doctype html>"));
	} else if (path_is(req, "/ws") || path_is(req, "/ws/hello")) {
		if (!ws_accept(probe.ws, req, &ops, NULL, path_is(req, "/ws/hello") ? &probe : NULL))
			return;
	} else if (path_is(req, "/ws/refused")) {
		req_fail_code(req, PL_E_UNAUTHORIZED);
	} else if (path_is(req, "/fail")) {
		pl_err_set(&err, PL_E_RATE, "Rate limit exceeded: 5 per 1 minute");
		err.retry_after_s = 12;
		req_fail(req, &err);
	} else if (path_is(req, "/drain")) {
		http_server_drain(probe.http, false);
		ws_server_drain(probe.ws, 1012, "restarting", 0);
		req_reply_empty(req, 204);
	} else if (path_is(req, "/missing")) {
		req_fail_code(req, PL_E_NO_ROUTE);
	} else {
		reply_what(req);
	}
}

static bool on_overloaded(void *arg)
{
	return probe.overload;
}

static bool on_refuse(void *arg, struct req *req)
{
	struct pl_err err = { 0 };

	if (!path_is(req, "/busy"))
		return false;
	probe.refused++;
	pl_err_set(&err, PL_E_BUSY, NULL);
	err.retry_after_s = 3;
	req_fail(req, &err);
	return true;
}

static void on_finished(void *arg, struct req *req)
{
	probe.finished++;
	probe.gone += req->gone;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	probe.quit = true;
}

static int listen_tcp(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		perror("listen");
		exit(1);
	}
	printf("port=%d\n", ntohs(at.sin_port));
	return fd;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static struct event_base *base_new(void)
{
	struct event_config *options = event_config_new();
	struct event_base *base;

	event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(options);
	event_config_free(options);
	return base;
}

static void setup(const char *const *overrides, int count)
{
	static const struct http_hooks hooks = { .request = on_request, .finished = on_finished,
		.overloaded = on_overloaded, .refuse = on_refuse };
	struct shm_sizes sizes = { .workers_max = 1, .slots = 6, .rate_pairs = 1024, .revoked_pairs = 1024,
		.ring_bytes = 262144, .generations = 4, .text_pages = 4 };
	char why[512];

	probe.config = config_read(NULL, overrides, count, why);
	if (probe.config == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	probe.shm = shm_new(&sizes, why);
	if (probe.shm == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	shm_take_slot(probe.shm, 0);
	probe.base = base_new();
	probe.http = http_server_new(probe.base, probe.shm, probe.config, &hooks);
	probe.ws = ws_server_new(probe.base, probe.shm, probe.config);
}

static void teardown(void)
{
	http_server_free(&probe.http);
	ws_server_free(&probe.ws);
	shm_free(&probe.shm);
	config_release(&probe.config);
	pl_buf_fini(&probe.notes);
	event_base_free(probe.base);
	libevent_global_shutdown();
}

int main(int argc, char **argv)
{
	const char *overrides[OVERRIDES_MAX], *path = NULL;
	struct event *term;
	int option, port = 0, count = 0, tcp, local = -1;

	while ((option = getopt(argc, argv, "p:u:o")) != -1) {
		if (option == 'p')
			port = atoi(optarg);
		else if (option == 'u')
			path = optarg;
		else if (option == 'o')
			probe.overload = true;
		else
			return 64;
	}
	for (; optind < argc && count < OVERRIDES_MAX; optind++)
		overrides[count++] = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	setup(overrides, count);
	tcp = listen_tcp(port);
	if (!http_server_listen(probe.http, tcp, false, false))
		return 1;
	if (path != NULL) {
		local = listen_unix(path);
		if (!http_server_listen(probe.http, local, true, false))
			return 1;
	}
	fflush(stdout);
	term = evsignal_new(probe.base, SIGTERM, on_signal, NULL);
	event_add(term, NULL);
	while (!probe.quit && event_base_loop(probe.base, EVLOOP_ONCE) == 0)
		ws_server_flush(probe.ws);
	event_free(term);
	teardown();
	close(tcp);
	if (local >= 0)
		close(local);
	return 0;
}

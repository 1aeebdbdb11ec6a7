/* SPDX-License-Identifier: ISC */
/*
 * Run by configure: does this libevent have the security fixes of 2.1.13 (Debian: 2.1.12-stable-8+deb12u1)?
 *
 * A version string cannot tell, because distributions patch; so two fixed bugs are tried: chunked trailers must not
 * become request headers (CVE-2026-63379), and a header value with a line break must be refused (CVE-2026-63385); the
 * package that lacks the fixes fails both. Exit 0: fixed, 1: not, 2: the probe itself could not run.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int requests, trailer_seen;

static void on_request(struct evhttp_request *req, void *arg)
{
	(void)arg;
	requests++;
	if (evhttp_find_header(evhttp_request_get_input_headers(req), "X-Probe-Trailer") != NULL)
		trailer_seen = 1;
	evhttp_send_reply(req, 200, "OK", NULL);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

/* Sends one request, turns the loop for 200 ms, returns how many requests ran. */
static int try_request(struct event_base *base, unsigned short port, const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval wait = { 0, 200000 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	requests = trailer_seen = 0;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	event_base_once(base, -1, EV_TIMEOUT, on_time, base, &wait);
	event_base_dispatch(base);
	close(fd);
	return requests;
}

int main(void)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
	struct evhttp_bound_socket *bound;
	struct sockaddr_in self;
	socklen_t len = sizeof(self);
	struct evkeyvalq headers;
	int bad = 0;

	if (http == NULL || (bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0)) == NULL ||
	    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&self, &len) != 0)
		return 2;
	evhttp_set_gencb(http, on_request, NULL);
	if (try_request(base, ntohs(self.sin_port), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "1\r\nx\r\n0\r\nX-Probe-Trailer: 1\r\n\r\n") < 0)
		return 2;
	if (trailer_seen)
		printf("trailers of a chunked body become request headers (CVE-2026-63379)\n"), bad = 1;
	memset(&headers, 0, sizeof(headers));
	headers.tqh_last = &headers.tqh_first;
	if (evhttp_add_header(&headers, "X-Probe", "a\r\n b") == 0)
		printf("a header value with a line break is taken (CVE-2026-63385)\n"), bad = 1;
	return bad;
}

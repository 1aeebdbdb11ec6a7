/* SPDX-License-Identifier: ISC */
/* /ws/echo: returns every message to its sender, for conformance tests. Off unless `ws_echo` is set. */
#include "api/ws/ws_client.h"

static void echo_opened(struct ws_conn *conn)
{
}

static void echo_message(struct ws_conn *conn, struct pl_str text)
{
	(void)ws_send_text(conn, text);
}

static void echo_closed(struct ws_conn *conn, int code)
{
}

static const struct ws_ops echo_ops = { .opened = echo_opened, .message = echo_message, .closed = echo_closed };

void ws_open_echo(struct request *request)
{
	if (!request->req->config->s.ws_echo)
		request_fail_code(request, PL_E_NO_ROUTE);
	else
		(void)!ws_accept(ws_sockets, request->req, &echo_ops, NULL, NULL);
}

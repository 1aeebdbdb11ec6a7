/* SPDX-License-Identifier: ISC */
/* The opening handshake (RFC 6455 4.2): checks, the 101 reply, and taking the socket from evhttp. */
#include "net/ws_int.h"

#include <stdio.h>

#include "err.h"

struct handshake {
	struct ws_conn *conn;
	struct ws_buf *reply;
};

/* Checks for base64 of 16 bytes. */
static bool key_ok(struct pl_str key)
{
	if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++) {
		char c = key.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '+' || c == '/'))
			return false;
	}
	return true;
}

static void on_stolen(void *arg, int fd, struct pl_str early)
{
	struct handshake *hs = arg;
	struct ws_conn *conn = hs->conn;

	if (fd < 0) {
		ws_buf_release(&hs->reply);
		ws_conn_die(conn, 1006);
		return;
	}
	ws_conn_opened(conn, fd, early, hs->reply);
}

/* Returns the error of the handshake; PL_E_OK: it is valid. */
static enum pl_code check(struct ws_server *server, struct req *req)
{
	if (req->method != REQ_GET || !req->is_upgrade ||
	    !pl_str_is(req_header(req, "Sec-WebSocket-Version"), "13")) {
		req_header_add(req, "Upgrade", "websocket");
		req_header_add(req, "Sec-WebSocket-Version", "13");
		return PL_E_UPGRADE;
	}
	if (!key_ok(req_header(req, "Sec-WebSocket-Key")))
		return PL_E_BAD_REQUEST;
	if (server->draining)
		return server->drain_code == 1012 ? PL_E_RESTARTING : PL_E_STOPPING;
	return PL_E_OK;
}

static struct ws_buf *reply_make(struct req *req, const char *subprotocol)
{
	struct pl_buf text = PL_BUF(req->task->pool);
	char accept[29];

	pl_ws_accept(req_header(req, "Sec-WebSocket-Key"), accept);
	pl_buf_addf(&text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\nX-Request-Id: %s\r\n", accept, req->task->request_id);
	for (const struct req_header *h = req->reply_headers; h != NULL; h = h->next)
		if (strncmp(h->name, "RateLimit", 9) == 0)
			pl_buf_addf(&text, "%s: %s\r\n", h->name, h->value);
	if (subprotocol != NULL)
		pl_buf_addf(&text, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	pl_buf_adds(&text, "\r\n");
	return ws_buf_raw(text.ptr, text.len);
}

bool ws_accept(struct ws_server *server, struct req *req, const struct ws_ops *ops, const char *subprotocol, void *user)
{
	struct handshake *hs;
	enum pl_code code;

	if (req->gone) {
		req->replied = true;
		return false;
	}
	code = check(server, req);
	if (code != PL_E_OK) {
		req_fail_code(req, code);
		return false;
	}
	hs = pl_alloc(req->task->pool, sizeof(*hs));
	hs->conn = ws_conn_new(server, ops, user, req->task->who.addr);
	hs->reply = reply_make(req, subprotocol);
	http_steal(req, on_stolen, hs);
	return true;
}

/* SPDX-License-Identifier: ISC */
/*
 * Clients on sockets: identity, expiry, errors, closing.
 */
#include <stdio.h>

#include "api/ws/ws_frame.h"
#include "api/ws/ws_user.h"
#include "clock.h"

#define FRAME_TIME_NS (10 * PL_NS_PER_S)
#define LIMITED_EVERY_NS PL_NS_PER_S

struct ws_server *ws_sockets;
static struct ws_client *clients;

struct ws_client *ws_client_hold(struct ws_client *client)
{
	client->holds++;
	return client;
}

void ws_client_release(struct ws_client **client)
{
	struct ws_client *c = *client;

	*client = NULL;
	if (--c->holds > 0)
		return;
	pl_free(c->state);
	pl_free(c);
}

struct pl_task *ws_client_task(struct ws_client *client)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + FRAME_TIME_NS);

	task->who = client->who;
	return task;
}

void ws_client_send(struct ws_client *client, const struct pl_buf *buf)
{
	if (client->conn != NULL)
		(void)ws_send_text(client->conn, pl_buf_str(buf));
}

void ws_client_close(struct ws_client *client, enum pl_code code)
{
	const struct pl_err_info *info = pl_err_info(code);

	if (client->conn != NULL)
		ws_close(client->conn, info->ws_close != 0 ? info->ws_close : 1008, info->code);
}

void ws_client_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	client->dialect->error(client, id, err);
}

bool ws_client_counts(struct ws_client *client, struct pl_str id)
{
	struct pl_err limited = { 0 };
	int64_t now_ns = pl_now_ns();

	if (limits_take(client->svc, svc_config(client->svc), LIMIT_READ, &client->who, PL_STR_NONE, NULL, &limited))
		return true;
	if (now_ns - client->limited_ns >= LIMITED_EVERY_NS) {
		client->limited_ns = now_ns;
		ws_client_error(client, id, &limited);
	}
	return false;
}

void ws_client_refuse(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	if (ws_client_counts(client, id))
		ws_client_error(client, id, err);
}

void ws_compat_error(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", "error");
	pl_jw_kcstr(&w, "message", pl_err_text(err));
	pl_jw_kcstr(&w, "code", pl_err_info(err->code)->code);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void on_expired(struct ws_conn *conn)
{
	ws_client_close(ws_conn_user(conn), PL_E_TOKEN_EXPIRED);
}

static void on_no_auth(struct ws_conn *conn)
{
	ws_client_close(ws_conn_user(conn), PL_E_AUTH_TIMEOUT);
}

void ws_client_wait_auth(struct ws_client *client)
{
	ws_timer(client->conn, pl_now_ns() + svc_config(client->svc)->s.ws_auth_timeout * PL_NS_PER_MS, on_no_auth);
}

/* Sets the identity of a checked token and starts the timer for its expiry. The first time, calls dialect->ready. */
static void client_login(struct ws_client *client, const struct auth_who *who)
{
	bool first = !client->authed;

	auth_caller(who, &client->who);
	client->authed = true;
	client->expires_us = who->token.expires_s * PL_US_PER_S;
	if (client->conn != NULL)
		ws_timer(client->conn, pl_now_ns() + (client->expires_us - pl_wall_us()) * 1000, on_expired);
	if (first)
		client->dialect->ready(client, false);
}

void ws_revoked(int64_t login_id)
{
	for (struct ws_client *c = clients; c != NULL; c = c->next)
		if (c->authed && c->who.login_id == login_id)
			ws_client_close(c, PL_E_REVOKED);
}

void ws_keys(const struct pl_keyring *keys)
{
	for (struct ws_client *c = clients; c != NULL; c = c->next)
		if (c->authed && c->who.signed_by != 0 && !pl_keyring_has(keys, c->who.signed_by))
			ws_client_close(c, PL_E_UNAUTHORIZED);
}

void ws_member(int64_t user_id, int64_t room_id, int64_t seq, bool joined)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "{\"type\":\"%s\",\"topic\":\"user:me\",\"room_id\":%lld,\"seq\":%lld}",
	    joined ? "joined" : "left", (long long)room_id, (long long)seq);

	ws_user(user_id, "", pl_strn(text, (size_t)n));
	for (struct ws_client *c = clients; !joined && c != NULL; c = c->next)
		if (c->who.user_id == user_id && c->dialect->left != NULL)
			c->dialect->left(c, room_id);
}

void ws_user(int64_t user_id, const char *session, struct pl_str frame)
{
	for (struct ws_client *c = clients; c != NULL; c = c->next)
		if (c->who.user_id == user_id && c->dialect->about_user != NULL)
			c->dialect->about_user(c, session, frame);
}

/* ---- the token in an auth frame ---- */

struct auth_frame {
	struct ws_client *client;
	struct pl_task *task;
	struct auth_who who;
	struct pl_str id;
	void (*done)(struct ws_client *client, struct pl_str id, const struct pl_err *err);
};

/* Was the login session ended, or the API key changed, while a query ran for it? */
static bool is_ended(const struct ws_client *c, const struct pl_caller *who)
{
	if (who->scopes != 0 && who->key_epoch != shm_keys_epoch(c->svc->shm))
		return true;
	return who->login_id != 0 && shm_revoked(c->svc->shm, who->login_id, pl_wall_us() / PL_US_PER_S);
}

static void auth_end(struct auth_frame *a, const struct pl_err *err)
{
	struct pl_err other = { 0 };
	struct pl_caller who = { 0 };

	auth_caller(&a->who, &who);
	if (err == NULL && a->client->authed && a->client->who.user_id != a->who.token.user_id) {
		pl_err_set(&other, PL_E_UNAUTHORIZED, "This socket belongs to another user.");
		err = &other;
	}
	if (err == NULL && is_ended(a->client, &who)) {
		pl_err_set(&other, PL_E_REVOKED, NULL);
		err = &other;
	}
	if (err == NULL && !request_scope(a->client->scope, who.scopes, a->task->pool, &other))
		err = &other;
	if (err == NULL && a->client->conn != NULL)
		client_login(a->client, &a->who);
	a->done(a->client, a->id, err);
}

static void auth_on_confirmed(void *arg, const bool *alive, const struct pl_err *err)
{
	struct auth_frame *a = arg;
	struct ws_client *client = a->client;
	struct pl_task *task = a->task;

	auth_end(a, err);
	ws_client_release(&client);
	pl_task_release(&task);
}

void ws_client_auth(struct ws_client *client, struct pl_task *task, struct pl_str token,
    void (*done)(struct ws_client *client, struct pl_str id, const struct pl_err *err), struct pl_str id)
{
	struct auth_frame *a = pl_alloc(task->pool, sizeof(*a));
	struct pl_err err = { 0 };

	*a = (struct auth_frame){ .client = client, .task = task, .id = id, .done = done };
	if (token.ptr == NULL)
		pl_err_set(&err, PL_E_UNAUTHORIZED, NULL);
	else if (auth_check(client->svc, svc_config(client->svc), token, &client->who, &a->who, &err) && a->who.ask) {
		ws_client_hold(client);
		pl_task_hold(task);
		auth_confirm(client->svc, task, &a->who, auth_on_confirmed, a);
		return;
	}
	auth_end(a, err.code != PL_E_OK ? &err : NULL);
}

static void compat_auth_done(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	/* a valid token is not answered here; an invalid one closes the socket with 4401, 4410, or 4403 */
	if (err != NULL)
		ws_client_close(client, err->code == PL_E_REVOKED || err->code == PL_E_MFA_ENROLMENT ||
		    err->code == PL_E_SCOPE ? err->code :
		    PL_E_UNAUTHORIZED);
}

#define SAME_AUTH(dialect) \
	_Static_assert(offsetof(struct in_##dialect##_auth, token) == offsetof(struct in_room_auth, token), \
	    "one handler")
SAME_AUTH(query);
SAME_AUTH(signaling);
SAME_AUTH(session);
SAME_AUTH(usage);

void ws_compat_auth(struct ws_frame *f)
{
	const struct in_room_auth *in = f->in;

	ws_client_auth(f->client, f->task, in->token, compat_auth_done, PL_STR_NONE);
}

/* ---- the socket ---- */

static void on_opened(struct ws_conn *conn)
{
	struct ws_client *c = ws_conn_user(conn);

	c->conn = conn;
	c->next = clients;
	if (clients != NULL)
		clients->prev = c;
	clients = c;
	memcpy(c->who.addr, ws_conn_addr(conn), strnlen(ws_conn_addr(conn), sizeof(c->who.addr) - 1) + 1);
	if (is_ended(c, &c->who)) {
		ws_client_close(c, PL_E_REVOKED);
	} else if (c->authed) {
		ws_timer(conn, pl_now_ns() + (c->expires_us - pl_wall_us()) * 1000, on_expired);
		c->dialect->ready(c, true);
	} else if (c->dialect->anonymous != NULL && svc_anonymous(svc_config(c->svc), c->dialect->anonymous)) {
		c->dialect->ready(c, true);
	} else if (c->dialect->guest == NULL || !c->dialect->guest(c)) {
		ws_client_wait_auth(c);
	}
}

static void on_message(struct ws_conn *conn, struct pl_str text)
{
	struct ws_client *c = ws_client_hold(ws_conn_user(conn));
	struct pl_task *task = ws_client_task(c);
	struct pl_err err = { 0 };
	struct ws_frame *f;
	/* the buffer of the socket is reused at once, but handling the frame may take longer */
	const struct pl_jval *frame = pl_json_parse(task->pool,
	    pl_str_dup(task->pool, pl_str_unmarked(text)), &err);

	if (frame != NULL && frame->type == PL_J_OBJECT) {
		f = pl_alloc(task->pool, sizeof(*f));
		*f = (struct ws_frame){ .client = c, .task = task, .json = frame };
		ws_frame_take(f);
	} else {
		pl_err_set(&err, PL_E_BAD_FRAME, NULL);
		ws_client_refuse(c, PL_STR_NONE, &err);
	}
	pl_task_release(&task);
	ws_client_release(&c);
}

static void on_closed(struct ws_conn *conn, int code)
{
	struct ws_client *c = ws_conn_user(conn);

	c->conn = NULL;
	if (c->dialect->closed != NULL)
		c->dialect->closed(c);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ws_client_release(&c);
}

static void on_drained(struct ws_conn *conn)
{
	struct ws_client *c = ws_conn_user(conn);

	if (c->dialect->drained != NULL)
		c->dialect->drained(c);
}

static const struct ws_ops client_ops = { .opened = on_opened, .message = on_message, .closed = on_closed,
	.drained = on_drained };

/* ---- the handshake ---- */

struct opening { struct request *request; const struct ws_dialect *dialect; const char *subprotocol; };

static void take_over(struct opening *o)
{
	struct request *request = o->request;
	struct ws_client *c = pl_new(sizeof(*c));
	struct pl_err err = { 0 };

	c->svc = request->svc;
	c->holds = 1;
	c->dialect = o->dialect;
	c->state = pl_new(o->dialect->state_bytes);
	if (request->who.token.user_id != 0) {
		auth_caller(&request->who, &c->who);
		c->authed = true;
		c->expires_us = request->who.token.expires_s * PL_US_PER_S;
	}
	memcpy(c->who.addr, request->req->task->who.addr, sizeof(c->who.addr));
	c->scope = request->ws->scope;
	if (is_ended(c, &c->who))
		pl_err_set(&err, PL_E_REVOKED, NULL);
	else
		(void)!request_scope(c->scope, c->who.scopes, request->req->task->pool, &err);
	if (err.code != PL_E_OK) {
		request_fail(request, &err);
		ws_client_release(&c);
		return;
	}
	if (c->dialect->made != NULL)
		c->dialect->made(c, request);
	if (!ws_accept(ws_sockets, request->req, &client_ops, o->subprotocol, c))
		ws_client_release(&c);
}

static void open_on_confirmed(void *arg, const bool *alive, const struct pl_err *err)
{
	struct opening *o = arg;

	if (err != NULL)
		request_fail(o->request, err);
	else
		take_over(o);
}

/* The token that a handshake may contain: "bearer.TOKEN" among the subprotocols, a ticket, or ?token= if allowed. */
static bool handshake_token(struct opening *o, struct pl_str bearer, struct pl_err *err)
{
	struct request *request = o->request;
	const struct config *config = request->req->config;
	const struct pl_caller *from = &request->req->task->who;
	bool bad = false;
	struct pl_str ticket = req_query(request->req, "ticket", &bad);
	struct pl_str token = config->s.ws_query_token ? req_query(request->req, "token", &bad) : PL_STR_NONE;

	if (request->who.token.user_id != 0)
		return true; /* the Authorization header was already checked */
	if (bearer.ptr != NULL)
		return auth_check(request->svc, config, bearer, from, &request->who, err);
	if (ticket.ptr != NULL)
		return ticket_use(request->svc, config, ticket, &request->who, err);
	if (token.ptr != NULL)
		return auth_check(request->svc, config, token, from, &request->who, err);
	return true;
}

void ws_open_client(struct request *request, const struct ws_dialect *dialect)
{
	struct pl_str offered = req_header(request->req, "Sec-WebSocket-Protocol"), part, bearer = PL_STR_NONE;
	struct opening *o = pl_alloc(request->req->task->pool, sizeof(*o));
	struct pl_err err = { 0 };
	bool native = false;

	*o = (struct opening){ .request = request, .dialect = dialect };
	while (offered.ptr != NULL && pl_str_cut(&offered, ',', &part)) {
		part = pl_str_trim(part);
		if (pl_str_is(part, "parlour.v1"))
			native = true;
		else if (pl_str_starts(part, "bearer."))
			bearer = pl_strn(part.ptr + 7, part.len - 7);
	}
	if (native) {
		o->subprotocol = "parlour.v1";
		o->dialect = &ws_native;
	} else if (bearer.ptr != NULL) {
		/* browsers require that the reply selects one of the offered subprotocols */
		o->subprotocol = pl_sprintf(request->req->task->pool, "bearer.%.*s", PL_FMT(bearer));
	}
	if (!handshake_token(o, bearer, &err)) {
		request_fail(request, &err);
	} else if (request->who.ask) {
		req_defer(request->req);
		auth_confirm(request->svc, request->req->task, &request->who, open_on_confirmed, o);
	} else {
		take_over(o);
	}
}

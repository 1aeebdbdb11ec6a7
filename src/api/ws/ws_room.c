/* SPDX-License-Identifier: ISC */
/*
 * /ws/chat/{room_id} without parlour.v1, where that is a number: the compatible room socket. It speaks whole messages
 * only, and errors as {"type":"error","message","code"}. Frames: parlour-ws(7), "Compatible sockets".
 */
#include "api/ws/ws_client.h"
#include "db/repo/repo_room.h"
#include "svc/room/chat.h"

#define WAITING_MIN 32		/* so that whoever sends too much is told that and not `busy` */
#define WAITING_MAX 1024
#define WAITING_NO_LIMIT 256	/* when class send is off */

struct posting { struct ws_client *client; struct pl_task *task; };
/* In its task's pool. */
struct ws_waiting { struct pl_task *task; struct pl_str content; struct ws_waiting *next; };

static void post(struct ws_client *client, struct pl_task *task, struct pl_str content);

/* As many as class send lets through at once when the room is open. */
static int waiting_max(const struct ws_client *client)
{
	int64_t burst = limit_rate(svc_config(client->svc), LIMIT_SEND)->burst;

	if (burst == 0)
		return WAITING_NO_LIMIT;
	return burst < WAITING_MIN ? WAITING_MIN : burst < WAITING_MAX ? (int)burst : WAITING_MAX;
}

/* A message sent before its sender listens would never come back to them; it waits until the room is open. */
static bool wait_for_room(struct ws_client *client, struct pl_task *task, struct pl_str content)
{
	struct ws_waiting *w = pl_alloc(task->pool, sizeof(*w)), **at = &client->waiting;
	int count = 0;

	while (*at != NULL) {
		at = &(*at)->next;
		count++;
	}
	if (count >= waiting_max(client))
		return false;
	*w = (struct ws_waiting){ .task = pl_task_hold(task), .content = content };
	*at = w;
	return true;
}

static void waiting_end(struct ws_client *client, bool send)
{
	struct ws_waiting *w;

	while ((w = client->waiting) != NULL) {
		struct pl_task *task = w->task;

		client->waiting = w->next;
		if (send)
			post(client, task, w->content);
		pl_task_release(&task);
	}
}

static void on_subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct ws_client *client = arg;

	client->room_open = err == NULL;
	waiting_end(client, client->room_open);
	if (err != NULL) {
		ws_subs_remove(client, sub);
		ws_client_close(client, err->code);
	}
}

/* What is said after the handshake is heard, however long the token and the subscription take. */
static void room_made(struct ws_client *client, const struct call *call)
{
	const struct room_head *head = call->flow;

	client->since = head != NULL ? head->last_seq : -1;
	client->epoch = head != NULL ? head->epoch : 0;
}

/* The path is the subscription. */
static void room_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_task *task = ws_client_task(client);

	ws_subs_add(client, hub_subscribe(client->svc->hub, task, client->room_id, client->since, client->epoch,
	    &ws_sub_ops, client, on_subscribed, client));
	pl_task_release(&task);
}

static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	struct posting *p = arg;
	struct ws_client *client = p->client;
	struct pl_task *task = p->task;

	if (err != NULL)
		ws_client_error(client, PL_STR_NONE, err);
	ws_client_release(&client);
	pl_task_release(&task);
}

static void post(struct ws_client *client, struct pl_task *task, struct pl_str content)
{
	const struct config *config = svc_config(client->svc);
	struct posting *p = pl_alloc(task->pool, sizeof(*p));
	struct chat_send send = { .room_id = client->room_id, .content = content };
	struct pl_err err = { 0 };

	if (content.len == 0)
		pl_err_set(&err, PL_E_INVALID, "message must be a string that is not empty");
	else if (!client->room_open) {
		if (wait_for_room(client, task, content))
			return;
		pl_err_set(&err, PL_E_BUSY, NULL);
	} else if (!db_admit(client->svc->db, SHED_SEND, &err) ||
	    !limits_take(client->svc, config, LIMIT_SEND, &client->who, PL_STR_NONE, NULL, &err)) {
		ws_client_error(client, PL_STR_NONE, &err);
		return;
	} else {
		*p = (struct posting){ .client = ws_client_hold(client), .task = pl_task_hold(task) };
		chat_send(client->svc, config, task, &send, on_sent, p);
		return;
	}
	ws_client_refuse(client, PL_STR_NONE, &err);
}

static void room_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	const struct pl_jval *type_value = pl_json_get(frame, "type");
	struct pl_str type = pl_json_str(type_value), bare = pl_json_str(pl_json_get(frame, "message"));
	struct pl_err err = { 0 };

	if (pl_str_is(type, "auth")) {
		ws_compat_auth(client, task, frame);
		return;
	}
	if (!client->authed)
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
	else if (pl_str_is(type, "message")) {
		struct pl_str content = pl_json_str(pl_json_get(frame, "content"));

		post(client, task, content.ptr != NULL ? content : bare);
		return;
	} else if (type_value == NULL && bare.ptr != NULL) {
		post(client, task, bare);
		return;
	} else if (type_value == NULL) {
		pl_err_set(&err, PL_E_BAD_FRAME, "Send {\"message\": \"text\"}.");
	} else {
		pl_err_set(&err, PL_E_UNKNOWN_TYPE, NULL);
	}
	ws_client_refuse(client, PL_STR_NONE, &err);
}

/* What came over the wire before the socket closed was sent. */
static void room_closed(struct ws_client *client)
{
	client->room_open = true;
	waiting_end(client, true);
}

static void room_ended(struct ws_client *client, int64_t room_id)
{
	ws_client_close(client, PL_E_NOT_FOUND);
}

const struct ws_dialect ws_room_compat = { .render = HUB_ROOM_COMPAT, .made = room_made, .ready = room_ready,
	.frame = room_frame, .error = ws_compat_error, .ended = room_ended, .closed = room_closed };

static void open_on_head(void *arg, const struct room_head *head, const struct pl_err *err)
{
	struct call *call = arg;

	/* no such room, or no database: the subscription will find out and say so */
	if (head != NULL) {
		call->flow = pl_alloc(call->req->task->pool, sizeof(*head));
		memcpy(call->flow, head, sizeof(*head));
	}
	ws_open_client(call, &ws_room_compat, call->id);
}

void ws_open_room(struct call *call)
{
	struct pl_str param = call->param[0];
	size_t digits = 0;

	while (digits < param.len && param.ptr[digits] >= '0' && param.ptr[digits] <= '9')
		digits++;
	if (digits < param.len) {
		ws_open_query(call);
	} else if (!pl_str_i64(param, 1, INT64_MAX, &call->id)) {
		call_fail_code(call, PL_E_NOT_FOUND);
	} else if (!db_up(call->svc->db)) {
		ws_open_client(call, &ws_room_compat, call->id);
	} else {
		req_defer(call->req);
		repo_room_head(call->svc->db, call->req->task, call->id, 0, open_on_head, call);
	}
}

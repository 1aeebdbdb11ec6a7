/* SPDX-License-Identifier: ISC */
/*
 * /ws/chat/{room_id} without parlour.v1, if that is a number: the compatible room socket. It sends whole messages only,
 * and errors as {"type":"error","message","code"}. Frames: parlour-ws(7), "Compatible sockets".
 */
#include "api/ws/ws_wait.h"
#include "db/repo/repo_room.h"
#include "db/repo/repo_user.h"
#include "svc/room/chat.h"

#define WAITING_MIN WS_WAIT_MAX	/* so that a client that sends too much receives rate_limited and not `busy` */
#define WAITING_MAX 1024
#define WAITING_NO_LIMIT 256	/* if class send is off */

struct room_state {
	int64_t id, since, epoch;	/* head of the room at the handshake; -1, 0: unknown */
	struct hub_sub *sub;
	struct ws_wait wait;		/* frames that came before the room was open */
	bool open;
};

static void post(struct ws_frame *f);

/* As many as class send allows at the same time when the room is open. */
static int waiting_max(const struct ws_client *client)
{
	int64_t burst = limit_rate(svc_config(client->svc), LIMIT_SEND)->burst;

	if (burst == 0)
		return WAITING_NO_LIMIT;
	return burst < WAITING_MIN ? WAITING_MIN : burst < WAITING_MAX ? (int)burst : WAITING_MAX;
}

/* ---- joining and leaving users: setting room_join_frames ---- */

struct presence { struct ws_client *client; struct pl_task *task; struct hub_presence diff; };

static void send_presence(struct ws_client *client, const char *type, struct pl_str name)
{
	const struct room_state *room = client->state;
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, type, PL_STR_NONE);

	pl_jw_kstr(&w, "user", name);
	pl_jw_ki64(&w, "room_id", room->id);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static bool is_one_of(int64_t id, const int64_t *ids, int count)
{
	for (int i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static void on_names(void *arg, const struct user_name_list *names, const struct pl_err *err)
{
	struct presence *p = arg;
	struct ws_client *client = p->client;
	struct pl_task *task = p->task;

	/*
	 * if the database is not reachable, no frame is sent: the next difference follows, and clients can read who is
	 * present
	 */
	for (int i = 0; err == NULL && i < names->count; i++) {
		const struct user_name *user = &names->rows[i];
		bool came = is_one_of(user->id, p->diff.joined, p->diff.joined_count);

		if (user->id != client->who.user_id)
			send_presence(client, came ? "join" : "leave", user->name);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void tell_presence(struct ws_client *client, const struct hub_presence *diff)
{
	int count = diff->joined_count + diff->left_count;
	struct pl_task *task;
	struct presence *p;
	int64_t *ids;

	if (count == 0)
		return;
	task = ws_client_task(client);
	p = pl_alloc(task->pool, sizeof(*p));
	ids = pl_alloc(task->pool, (size_t)count * sizeof(*ids));
	*p = (struct presence){ .client = ws_client_hold(client), .task = task,
		.diff = { .joined = ids, .joined_count = diff->joined_count } };
	if (diff->joined_count > 0)
		memcpy(ids, diff->joined, (size_t)diff->joined_count * sizeof(*ids));
	if (diff->left_count > 0)
		memcpy(ids + diff->joined_count, diff->left, (size_t)diff->left_count * sizeof(*ids));
	repo_user_names(client->svc->db, task, ids, count, on_names, p);
}

/* ---- listening ---- */

static bool on_event(struct hub_sub *sub, struct hub_event *event)
{
	struct ws_client *client = sub->owner;

	if (event->kind == HUB_PRESENCE && client->conn != NULL && svc_config(client->svc)->s.room_join_frames)
		tell_presence(client, &event->presence);
	return ws_client_event(sub->owner, sub, event);
}

static void on_ended(struct hub_sub *sub)
{
	struct ws_client *client = sub->owner;
	struct room_state *room = client->state;

	hub_unsubscribe(client->svc->hub, &room->sub);
	shm_count(client->svc->shm, SHM_M_subscriptions, -1);
	ws_client_close(client, PL_E_NOT_FOUND);
}

/* There is no frame for this. The client loads the room again when it reconnects. */
static void on_reset(struct hub_sub *sub, int64_t epoch, int64_t seq)
{
	ws_client_close(sub->owner, PL_E_RESTARTING);
}

static void on_stalled(struct hub_sub *sub, const struct pl_err *err)
{
	/* nor is there one for this; the missing events come later */
}

static const struct hub_sub_ops sub_ops = { .event = on_event, .ended = on_ended, .reset = on_reset,
	.stalled = on_stalled };

/*
 * A message that is sent before its sender listens would not be returned to the sender. So it waits until the room is
 * open.
 */
static void post_waiting(struct room_state *room)
{
	struct ws_frame *f;

	while ((f = ws_wait_pop(&room->wait)) != NULL) {
		post(f);
		ws_frame_end(f);
	}
}

static void on_subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct ws_client *client = arg;
	struct room_state *room = client->state;

	if (err == NULL) {
		room->open = true;
		post_waiting(room);
		return;
	}
	ws_wait_clear(&room->wait);
	room->sub = NULL;
	shm_count(client->svc->shm, SHM_M_subscriptions, -1);
	ws_client_close(client, err->code);
}

/* Messages after the handshake are delivered, however long the token check and the subscription take. */
static void room_made(struct ws_client *client, const struct request *request)
{
	const struct room_head *head = request->flow;
	struct room_state *room = client->state;

	room->id = request->id;
	room->since = head != NULL ? head->last_seq : -1;
	room->epoch = head != NULL ? head->epoch : 0;
}

/* The path is the subscription. */
static void room_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_task *task = ws_client_task(client);
	struct room_state *room = client->state;

	shm_count(client->svc->shm, SHM_M_subscriptions, 1);
	room->sub = hub_subscribe(client->svc->hub, task, room->id, room->since, room->epoch, &sub_ops, client,
	    on_subscribed, client);
	pl_task_release(&task);
}

/* ---- messages ---- */

/* The message is stored and remains, even if the named role cannot answer it. */
static void on_asked(void *arg, const struct pl_err *err)
{
	struct ws_frame *f = arg;

	if (err != NULL)
		ws_frame_fail(f, err);
	ws_frame_end(f);
}

static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	struct ws_frame *f = arg;

	if (err != NULL)
		ws_frame_fail(f, err);
	else if (f->role_id != 0 && !sent->duplicate)
		return;	/* until on_asked() */
	ws_frame_end(f);
}

static void post(struct ws_frame *f)
{
	struct ws_client *client = f->client;
	struct room_state *room = client->state;
	const struct config *config = svc_config(client->svc);
	struct chat_send send = { .room_id = room->id, .content = f->text,
		.role_id = f->role_id, .asked = on_asked };
	struct pl_err err = { 0 };

	if (f->text.len == 0)
		pl_err_set(&err, PL_E_INVALID, "message is required");
	else if (!room->open) {
		if (ws_wait_push(&room->wait, waiting_max(client), f))
			return;
		pl_err_set(&err, PL_E_BUSY, NULL);
	} else if (!db_admit(client->svc->db, SHED_SEND, &err) ||
	    !limits_take(client->svc, config, LIMIT_SEND, &client->who, PL_STR_NONE, NULL, &err)) {
		ws_frame_fail(f, &err);
		return;
	} else {
		ws_frame_hold(f);
		chat_send(client->svc, config, f->task, &send, on_sent, f);
		return;
	}
	ws_frame_refuse(f, &err);
}

static void say(struct ws_frame *f, struct pl_str text, int64_t role_id)
{
	f->text = text;
	f->role_id = role_id == SHAPE_NONE ? 0 : role_id;
	post(f);
}

_Static_assert(offsetof(struct in_room_bare, message) == offsetof(struct in_room_bare_content, content) &&
    offsetof(struct in_room_bare, role_id) == offsetof(struct in_room_bare_content, role_id), "one handler");

/* {"message"} and {"content"}. */
void ws_on_room_bare(struct ws_frame *f)
{
	const struct in_room_bare *in = f->in;

	say(f, in->message, in->role_id);
}

void ws_on_room_message(struct ws_frame *f)
{
	const struct in_room_message *in = f->in;

	say(f, in->content.ptr != NULL ? in->content : in->message, in->role_id);
}

/* Messages that arrived before the socket closed are stored. */
static void room_closed(struct ws_client *client)
{
	struct room_state *room = client->state;

	if (room->sub != NULL)
		shm_count(client->svc->shm, SHM_M_subscriptions, -1);
	hub_unsubscribe(client->svc->hub, &room->sub);
	room->open = true;
	post_waiting(room);
}

static void room_drained(struct ws_client *client)
{
	struct room_state *room = client->state;

	if (room->sub != NULL)
		hub_resume(client->svc->hub, room->sub);
}

static const struct ws_dialect ws_room = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_room,
	.state_bytes = sizeof(struct room_state), .untyped = "Send {\"message\": \"text\"}.", .made = room_made,
	.ready = room_ready, .error = ws_compat_error, .drained = room_drained, .closed = room_closed };

static void open_on_head(void *arg, const struct room_head *head, const struct pl_err *err)
{
	struct request *request = arg;

	/* if there is no such room, or no database, the subscription reports it */
	if (head != NULL) {
		request->flow = pl_alloc(request->req->task->pool, sizeof(*head));
		memcpy(request->flow, head, sizeof(*head));
	}
	ws_open_client(request, &ws_room);
}

void ws_open_room(struct request *request)
{
	struct pl_str param = request->param[0];
	size_t digits = 0;

	while (digits < param.len && param.ptr[digits] >= '0' && param.ptr[digits] <= '9')
		digits++;
	if (digits < param.len) {
		ws_open_query(request);
	} else if (!pl_str_i64(param, 1, INT64_MAX, &request->id)) {
		request_fail_code(request, PL_E_NOT_FOUND);
	} else if (!db_up(request->svc->db)) {
		ws_open_client(request, &ws_room);
	} else {
		req_defer(request->req);
		repo_room_head(request->svc->db, request->req->task, request->id, 0, open_on_head, request);
	}
}

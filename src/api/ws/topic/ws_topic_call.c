/* SPDX-License-Identifier: ISC */
/*
 * Topics call:N: a native socket as a peer in the calls of a room. Compatible sockets of a room share their peers with
 * these: ws_signaling.c. Frames: parlour-ws(7).
 *
 *   subscribe call:7 -> is it a member? -> subscribed with the peer's id -> join, offer, answer, candidate, leave
 */
#include "api/ws/ws_call.h"
#include "api/ws/ws_topic.h"
#include "db/repo/repo_room.h"
#include "svc/room/signaling.h"

struct call_topic {
	struct ws_topic topic;
	struct signaling_peer peer;
	struct ws_frame *opening;	/* until the membership is known */
};

/* The frame of the server begins with "{"; the topic is inserted after it. */
static void on_deliver(void *owner, struct pl_str frame)
{
	const struct ws_topic *topic = owner;
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);

	pl_buf_addf(&buf, "{\"topic\":\"%s\",", topic->name);
	pl_buf_add(&buf, frame.ptr + 1, frame.len - 1);
	ws_client_send(topic->client, &buf);
	pl_pool_free(&pool);
}

static void call_topic_answer(struct ws_frame *f, struct call_topic *call)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_topic_subscribed(&call->topic, f->id, &buf, &(struct hub_subscribed){ .seq = 0 });

	pl_jw_kcstr(&w, "peer", call->peer.id);
	ws_frame_finish(f, &w);
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct ws_frame *f = arg;
	struct call_topic *call = (struct call_topic *)(void *)f->topic;
	struct pl_err bad = { 0 };

	if (call != NULL) { /* it was not unsubscribed meanwhile */
		call->opening = NULL;
		if (err != NULL)
			bad = *err;
		else if (room->level == LEVEL_NONE)
			pl_err_set(&bad, PL_E_FORBIDDEN, "Calls are for members of the room.");
		else if (!signaling_open(f->client->svc->signaling, &call->peer, call->topic.number))
			pl_err_set(&bad, PL_E_BUSY, NULL);
		if (bad.code == PL_E_OK) {
			call_topic_answer(f, call);
		} else {
			ws_topic_drop(&call->topic);
			ws_frame_fail(f, &bad);
		}
	}
	ws_frame_end(f);
}

static void call_open(struct ws_topic *topic, struct ws_frame *f)
{
	struct call_topic *call = (struct call_topic *)(void *)topic;

	call->peer = (struct signaling_peer){ .deliver = on_deliver, .owner = topic };
	call->opening = f;
	ws_frame_hold(f);
	repo_room_get(f->client->svc->db, f->task, topic->number, f->client->who.user_id, false, on_room, f);
}

static void call_close(struct ws_topic *topic)
{
	struct call_topic *call = (struct call_topic *)(void *)topic;

	if (call->opening != NULL) {
		call->opening->topic = NULL;
		ws_frame_fail(call->opening, &(struct pl_err){ .code = PL_E_CANCELLED });
	}
	signaling_close(topic->client->svc->signaling, &call->peer);
}

static void call_left(struct ws_topic *topic, int64_t room_id)
{
	const struct call_topic *call = (const struct call_topic *)(const void *)topic;

	if (topic->number == room_id && call->opening == NULL)
		ws_topic_end(topic, PL_E_NOT_FOUND);
}

/* Another subscription creates another peer. */
const struct topic_ops topic_call = { .name = "call:", .bytes = sizeof(struct call_topic), .max = 16,
	.too_many = "is refused: a socket can be in at most 16 calls", .counted = true, .parse = ws_topic_number,
	.open = call_open, .close = call_close, .left = call_left };

void ws_on_call(struct ws_frame *f)
{
	struct call_topic *call = (struct call_topic *)(void *)ws_topic_of(f, &topic_call);

	if (call != NULL && call->opening == NULL)
		ws_call_relay(f, &call->peer);
	else
		ws_frame_fail_field(f, "topic",
		    "must be a call, such as \"call:7\", that this socket is subscribed to");
}

/* SPDX-License-Identifier: ISC */
/* Topics room:N: events of a room as the hub delivers them, and frames that clients send to rooms. */
#include "api/ws/ws_topic.h"
#include "clock.h"
#include "svc/notify/read_mark.h"
#include "svc/room/chat.h"
#include "svc/room/room.h"

#define TYPING_EVERY_NS PL_NS_PER_S

struct room_topic { struct ws_topic topic; struct hub_sub *sub; };

/* ---- events ---- */

static bool on_event(struct hub_sub *sub, struct hub_event *event)
{
	const struct ws_topic *topic = sub->owner;

	return ws_client_event(topic->client, sub, event);
}

static void on_ended(struct hub_sub *sub)
{
	ws_topic_end(sub->owner, PL_E_NOT_FOUND);
}

/* Like the answer to an outdated position: the client must load the room again. */
static void on_reset(struct hub_sub *sub, int64_t epoch, int64_t seq)
{
	struct ws_topic *topic = sub->owner;
	struct hub_subscribed head = { .epoch = epoch, .seq = seq, .was_recovering = true };
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_topic_subscribed(topic, PL_STR_NONE, &buf, &head);

	pl_jw_end_object(&w);
	ws_client_send(topic->client, &buf);
	pl_pool_free(&pool);
}

static void on_stalled(struct hub_sub *sub, const struct pl_err *err)
{
	ws_topic_stalled(sub->owner, err);
}

static const struct hub_sub_ops sub_ops = { .event = on_event, .ended = on_ended, .reset = on_reset,
	.stalled = on_stalled };

static void on_subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct ws_frame *f = arg;
	struct room_topic *room = (struct room_topic *)(void *)f->topic;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err == NULL) {
		w = ws_topic_subscribed(&room->topic, f->id, &buf, result);
		ws_frame_finish(f, &w);
		return;
	}
	ws_frame_fail(f, err);
	if (room->sub != NULL) { /* it is not closing; otherwise the hub removes its part itself */
		room->sub = NULL;
		ws_topic_drop(&room->topic);
	}
}

/* The subscription holds the frame through its task until it is answered. A closing socket closes the topic first. */
static void room_open(struct ws_topic *topic, struct ws_frame *f)
{
	struct room_topic *room = (struct room_topic *)(void *)topic;
	const struct in_native_subscribe *in = f->in;

	room->sub = hub_subscribe(f->client->svc->hub, f->task, topic->number,
	    in->since != SHAPE_NONE ? in->since : -1, in->epoch != SHAPE_NONE ? in->epoch : 0, &sub_ops, topic,
	    on_subscribed, f);
}

static void room_close(struct ws_topic *topic)
{
	struct room_topic *room = (struct room_topic *)(void *)topic;
	struct hub_sub *sub = room->sub;

	room->sub = NULL;
	if (sub != NULL) {
		read_mark_hurry(topic->client->svc, topic->client->who.user_id, topic->number);
		hub_subscribe_fail(sub, PL_E_CANCELLED);
		hub_unsubscribe(topic->client->svc->hub, &sub);
	}
}

static void room_resume(struct ws_topic *topic)
{
	struct room_topic *room = (struct room_topic *)(void *)topic;

	if (room->sub != NULL)
		hub_resume(topic->client->svc->hub, room->sub);
}

const struct topic_ops topic_room = { .name = "room:", .bytes = sizeof(struct room_topic), .max = 1000,
	.too_many = "is refused: a socket can subscribe to at most 1000 "
	    "topics", .counted = true, .parse = ws_topic_number,
	.open = room_open, .close = room_close, .resume = room_resume };

/* ---- send ---- */

static bool room_named(struct ws_frame *f, struct topic_name *name)
{
	return ws_topic_is(f, &topic_room, "is required and must be a room, such as \"room:7\"", name);
}

static void sent(void *arg, const struct chat_sent *result, const struct pl_err *err)
{
	struct ws_frame *f = arg;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err != NULL) {
		ws_frame_fail(f, err);
		ws_frame_end(f);
		return;
	}
	w = ws_frame_begin(&buf, "ack", f->id);
	pl_jw_kcstr(&w, "topic", pl_sprintf(f->task->pool, "room:%lld", (long long)result->message.room_id));
	pl_jw_ki64(&w, "seq", result->message.seq);
	pl_jw_kstr(&w, "client_id", result->message.client_id);
	pl_jw_ktime(&w, "created_at", result->message.created_us);
	if (result->duplicate)
		pl_jw_kbool(&w, "duplicate", true);
	ws_frame_finish(f, &w);
	ws_frame_end(f);
}

void ws_on_send(struct ws_frame *f)
{
	const struct in_native_send *in = f->in;
	struct chat_send send = { .content = in->content, .client_id = in->client_id,
		.reply_to = in->reply_to != SHAPE_NONE ? in->reply_to : 0 };
	struct topic_name room;

	if (!room_named(f, &room))
		return;
	send.room_id = room.number;
	ws_frame_hold(f);
	chat_send(f->client->svc, svc_config(f->client->svc), f->task, &send, sent, f);
}

/* ---- typing, read ---- */

/*
 * Only a client that listens to a room may send typing events to it. A pending subscription is not sufficient, because
 * the room may be private.
 */
static struct hub_sub *listens(struct ws_frame *f, struct topic_name *name)
{
	const struct room_topic *room;

	if (!room_named(f, name))
		return NULL;
	room = (const struct room_topic *)(const void *)ws_topic_of(f, &topic_room);
	if (room != NULL && room->sub != NULL && hub_sub_granted(room->sub))
		return room->sub;
	ws_frame_fail_field(f, "topic", "is not subscribed on this socket");
	return NULL;
}

void ws_on_typing(struct ws_frame *f)
{
	struct topic_name room;
	struct hub_sub *sub = listens(f, &room);
	int64_t now_ns = pl_now_ns();

	if (sub == NULL || now_ns - sub->typing_ns < TYPING_EVERY_NS)
		return;
	sub->typing_ns = now_ns;
	hub_typing(f->client->svc->hub, room.number, f->client->who.user_id, pl_str(f->client->who.name));
}

void ws_on_read(struct ws_frame *f)
{
	const struct in_native_read *in = f->in;
	struct topic_name room;
	struct hub_sub *sub = listens(f, &room);

	if (sub == NULL)
		return;
	if (in->seq > hub_sub_head(sub))
		ws_frame_fail_field(f, "seq", "must not be greater than the last seq of the room");
	else
		room_read_live(f->client->svc, room.number, f->client->who.user_id, in->seq);
}

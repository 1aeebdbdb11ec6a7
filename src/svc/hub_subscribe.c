/* SPDX-License-Identifier: ISC */
/*
 * Subscribing: register, read the head (joining a public room first), answer, replay, go live.
 *
 *   hub_subscribe -> replay_on_head -> [join -> replay_on_joined -> replay_on_head] -> done -> replay_next <->
 *   replay_on_log -> live
 *
 * The room is registered for ring events before its head is read: what commits afterwards comes by ring, what committed
 * before is in the head. While it replays, a listener gets nothing live; it reads the log until it stands where the
 * room stands, and from that moment on it is one of the live ones. The replay outlives a listener that leaves.
 */
#include "clock.h"
#include "db/repo_room.h"
#include "svc/chat.h"
#include "svc/hub_rooms.h"

#define REPLAY_LIMIT 500

struct hub_replay {
	struct hub *hub;
	struct hub_sub *sub;		/* NULL: it left */
	struct pl_task *task;
	int64_t room_id, since, epoch;
	bool joined;
	hub_subscribed_fn *done;
	void *arg;
};

static void replay_next(struct hub_replay *r);

static void replay_end(struct hub_replay *r)
{
	struct pl_task *task = r->task;

	if (r->sub != NULL)
		r->sub->replay = NULL;
	pl_task_release(&task);
}

static void replay_fail(struct hub_replay *r, const struct pl_err *err)
{
	struct hub_sub *sub = r->sub;
	hub_subscribed_fn *done = r->done;
	void *arg = r->arg;

	if (sub != NULL) {
		sub->replay = NULL;
		r->sub = NULL;
		r->done = NULL;
		if (done != NULL)
			done(arg, sub, NULL, err);
		hub_unsubscribe(r->hub, &sub);
	}
	replay_end(r);
}

static void replay_on_log(void *arg, const struct room_log *log, const struct pl_err *err)
{
	struct hub_replay *r = arg;

	if (err != NULL) {
		replay_fail(r, err);
		return;
	}
	if (r->sub != NULL && log->epoch != 0 && log->epoch != r->sub->room->epoch)
		hub_log_known(r->hub, r->sub->room, log->last_seq, log->epoch); /* sets position behind all of this */
	for (int i = 0; i < log->count && r->sub != NULL; i++) {
		struct hub_event *event = hub_event_from_log(&log->rows[i]);

		if (event->seq > r->sub->position) {
			r->sub->position = event->seq;
			r->sub->ops->event(r->sub, event);
		}
		hub_event_release(&event);
	}
	replay_next(r);
}

static void replay_next(struct hub_replay *r)
{
	struct hub_sub *sub = r->sub;

	if (sub == NULL) {
		replay_end(r);
	} else if (sub->position >= sub->room->last_seq) {
		sub->live = true;
		hub_welcome(r->hub, sub);
		replay_end(r);
	} else {
		r->task->deadline_ns = pl_now_ns() + 10 * PL_NS_PER_S;
		repo_room_log(r->hub->svc->db, r->task, r->room_id, 0, sub->position, REPLAY_LIMIT, replay_on_log, r);
	}
}

static void replay_answer(struct hub_replay *r, const struct room_head *head)
{
	struct hub_subscribed out = { .seq = head->last_seq, .epoch = head->epoch, .was_recovering = r->since >= 0 };
	int64_t limit = svc_config(r->hub->svc)->s.recover_limit;

	out.recovered = out.was_recovering && (r->epoch == 0 || r->epoch == head->epoch) &&
	    r->since <= head->last_seq && head->last_seq - r->since <= limit;
	hub_log_known(r->hub, r->sub->room, head->last_seq, head->epoch);
	if (r->sub == NULL) {
		replay_end(r); /* what the room heard of just now ended it */
		return;
	}
	r->sub->position = out.recovered ? r->since : head->last_seq;
	hub_presence_enter(r->hub, r->sub->room, r->sub->user_id);
	r->done(r->arg, r->sub, &out, NULL);
	r->done = NULL;
	replay_next(r);
}

static void replay_on_head(void *arg, const struct room_head *head, const struct pl_err *err);

static void replay_on_joined(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct hub_replay *r = arg;

	if (err != NULL && err->code != PL_E_ARCHIVED) {
		replay_fail(r, err);
		return;
	}
	if (result != NULL)
		hub_publish_change(r->hub, &result->change);
	repo_room_head(r->hub->svc->db, r->task, r->room_id, r->task->who.user_id, replay_on_head, r);
}

static void replay_on_head(void *arg, const struct room_head *head, const struct pl_err *err)
{
	struct hub_replay *r = arg;
	struct pl_err hidden = { 0 };

	if (err != NULL) {
		replay_fail(r, err);
	} else if (!head->can_read) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);
		replay_fail(r, &hidden);
	} else if (!head->is_member && !r->joined && !head->archived) {
		r->joined = true; /* once: somebody may remove the user again meanwhile */
		chat_join(r->hub->svc, r->task, r->room_id, replay_on_joined, r);
	} else if (r->sub == NULL) {
		replay_end(r); /* it left, but it did open the room */
	} else {
		replay_answer(r, head);
	}
}

struct hub_sub *hub_subscribe(struct hub *hub, struct pl_task *task, int64_t room_id, int64_t since, int64_t epoch,
    const struct hub_sub_ops *ops, void *owner, hub_subscribed_fn *done, void *arg)
{
	struct hub_room *room = hub_room_need(hub, room_id);
	struct hub_sub *sub = pl_new(sizeof(*sub));
	struct hub_replay *r = pl_alloc(task->pool, sizeof(*r));

	*sub = (struct hub_sub){ .ops = ops, .owner = owner, .room = room, .next = room->subs,
		.user_id = task->who.user_id, .position = -1, .replay = r };
	if (room->subs != NULL)
		room->subs->prev = sub;
	room->subs = sub;
	room->subs_count++;
	*r = (struct hub_replay){ .hub = hub, .sub = sub, .task = pl_task_hold(task), .room_id = room_id,
		.since = since, .epoch = epoch, .done = done, .arg = arg };
	repo_room_head(hub->svc->db, task, room_id, task->who.user_id, replay_on_head, r);
	return sub;
}

void hub_subscribe_fail(struct hub_sub *sub, enum pl_code code)
{
	struct hub_replay *r = sub->replay;
	hub_subscribed_fn *done = r != NULL ? r->done : NULL;
	struct pl_err err = { 0 };

	if (done == NULL)
		return;
	r->done = NULL;
	pl_err_set(&err, code, NULL);
	done(r->arg, sub, NULL, &err);
}

void hub_unsubscribe(struct hub *hub, struct hub_sub **sub_at)
{
	struct hub_sub *sub = *sub_at;
	struct hub_room *room;

	*sub_at = NULL;
	if (sub == NULL)
		return;
	room = sub->room;
	if (sub->replay != NULL)
		sub->replay->sub = NULL;
	if (room->walk == sub)
		room->walk = sub->next;
	if (sub->prev != NULL)
		sub->prev->next = sub->next;
	else
		room->subs = sub->next;
	if (sub->next != NULL)
		sub->next->prev = sub->prev;
	room->subs_count--;
	if (hub_sub_granted(sub))
		hub_presence_leave(hub, room, sub->user_id);
	pl_free(sub);
	hub_room_drop_if_empty(hub, room);
}

void hub_room_evict(struct hub *hub, struct hub_room *room, int64_t user)
{
	for (struct hub_sub *s = room->subs, *next; s != NULL; s = next) {
		next = s->next;
		if (s->user_id != user)
			continue;
		if (hub_sub_granted(s)) {
			s->ops->ended(s); /* takes itself out */
		} else {
			hub_subscribe_fail(s, PL_E_NOT_FOUND);
			hub_unsubscribe(hub, &s);
		}
	}
}

int64_t hub_sub_room(const struct hub_sub *sub)
{
	return sub->room->id;
}

int64_t hub_sub_head(const struct hub_sub *sub)
{
	int64_t head = sub->room->last_seq;

	for (const struct hub_held *h = sub->room->held; h != NULL; h = h->next)
		if (h->seq > head)
			head = h->seq;
	return head;
}

void hub_welcome(struct hub *hub, struct hub_sub *sub)
{
	hub_presence_welcome(hub, sub);
	hub_generation_welcome(hub, sub);
}

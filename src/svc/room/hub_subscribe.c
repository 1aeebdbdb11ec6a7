/* SPDX-License-Identifier: ISC */
/*
 * Subscribing: register, read the head (joining a public room first), answer, catch up, go live.
 *
 *   hub_subscribe -> on_head -> [join -> on_joined -> on_head] -> done -> hub_behind_add()
 *
 * The room is registered for ring events before its head is read: what commits later comes by ring, and what committed
 * before is in the head. The query continues if the listener leaves, because it may be joining a room.
 */
#include "svc/room/hub_rooms.h"
#include "svc/room/room.h"

/* Allocated in the pool of its task. */
struct hub_asking {
	struct hub *hub;
	struct hub_sub *sub;		/* NULL: the listener left */
	struct pl_task *task;
	int64_t room_id, since, epoch;
	bool joined;
	hub_subscribed_fn *done;
	void *arg;
};

static void asking_end(struct hub_asking *q)
{
	struct pl_task *task = q->task;

	if (q->sub != NULL)
		q->sub->asking = NULL;
	pl_task_release(&task);
}

static void asking_fail(struct hub_asking *q, const struct pl_err *err)
{
	struct hub_sub *sub = q->sub;
	hub_subscribed_fn *done = q->done;

	if (sub != NULL) {
		sub->asking = NULL;
		q->sub = NULL;
		q->done = NULL;
		if (done != NULL)
			done(q->arg, sub, NULL, err);
		hub_unsubscribe(q->hub, &sub);
	}
	asking_end(q);
}

static void asking_answer(struct hub_asking *q, const struct room_head *head)
{
	struct hub_subscribed out = { .seq = head->last_seq, .epoch = head->epoch, .was_recovering = q->since >= 0 };
	int64_t limit = svc_config(q->hub->svc)->s.recover_limit;
	struct hub *hub = q->hub;
	struct hub_sub *sub;

	out.recovered = out.was_recovering && (q->epoch == 0 || q->epoch == head->epoch) &&
	    q->since <= head->last_seq && head->last_seq - q->since <= limit;
	hub_log_known(q->hub, q->sub->room, head->last_seq, head->epoch);
	if (q->sub != NULL) { /* news of the room may have ended the subscription */
		q->sub->position = out.recovered ? q->since : head->last_seq;
		hub_presence_enter(q->hub, q->sub->room, q->sub->user_id);
		q->done(q->arg, q->sub, &out, NULL);
	}
	q->done = NULL;
	sub = q->sub;
	asking_end(q);
	if (sub != NULL)
		hub_behind_add(hub, sub);
}

static void on_head(void *arg, const struct room_head *head, const struct pl_err *err);

static void on_joined(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct hub_asking *q = arg;

	if (err != NULL && err->code != PL_E_ARCHIVED) {
		asking_fail(q, err);
		return;
	}
	repo_room_head(q->hub->svc->db, q->task, q->room_id, q->task->who.user_id, on_head, q);
}

static void on_head(void *arg, const struct room_head *head, const struct pl_err *err)
{
	struct hub_asking *q = arg;
	struct pl_err hidden = { 0 };

	if (err != NULL) {
		asking_fail(q, err);
	} else if (!head->can_read) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);
		asking_fail(q, &hidden);
	} else if (!head->is_member && !q->joined && !head->archived) {
		q->joined = true; /* only once, because the user may be removed again meanwhile */
		room_join(q->hub->svc, q->task, q->room_id, on_joined, q);
	} else if (q->sub == NULL) {
		asking_end(q); /* the listener left, but the room was opened */
	} else {
		asking_answer(q, head);
	}
}

struct hub_sub *hub_subscribe(struct hub *hub, struct pl_task *task, int64_t room_id, int64_t since, int64_t epoch,
    const struct hub_sub_ops *ops, void *owner, hub_subscribed_fn *done, void *arg)
{
	struct hub_room *room = hub_room_need(hub, room_id);
	struct hub_sub *sub = pl_new(sizeof(*sub));
	struct hub_asking *q = pl_alloc(task->pool, sizeof(*q));

	*sub = (struct hub_sub){ .ops = ops, .owner = owner, .room = room, .next = room->subs,
		.user_id = task->who.user_id, .position = -1, .asking = q };
	if (room->subs != NULL)
		room->subs->prev = sub;
	room->subs = sub;
	room->subs_count++;
	*q = (struct hub_asking){ .hub = hub, .sub = sub, .task = pl_task_hold(task), .room_id = room_id,
		.since = since, .epoch = epoch, .done = done, .arg = arg };
	repo_room_head(hub->svc->db, task, room_id, task->who.user_id, on_head, q);
	return sub;
}

void hub_subscribe_fail(struct hub_sub *sub, enum pl_code code)
{
	struct hub_asking *q = sub->asking;
	hub_subscribed_fn *done = q != NULL ? q->done : NULL;
	struct pl_err err = { 0 };

	if (done == NULL)
		return;
	q->done = NULL;
	pl_err_set(&err, code, NULL);
	done(q->arg, sub, NULL, &err);
}

void hub_unsubscribe(struct hub *hub, struct hub_sub **sub_at)
{
	struct hub_sub *sub = *sub_at;
	struct hub_room *room;

	*sub_at = NULL;
	if (sub == NULL)
		return;
	room = sub->room;
	if (sub->asking != NULL)
		sub->asking->sub = NULL;
	hub_behind_remove(sub);
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
	hub_generation_told_free(sub);
	pl_free(sub);
	hub_room_drop_if_empty(hub, room);
}

void hub_room_evict(struct hub *hub, struct hub_room *room, int64_t user)
{
	for (struct hub_sub *s = room->subs, *next; s != NULL; s = next) {
		next = s->next;
		if (user != 0 && s->user_id != user)
			continue;
		if (hub_sub_granted(s)) {
			s->ops->ended(s); /* removes the listener */
		} else {
			hub_subscribe_fail(s, PL_E_NOT_FOUND);
			hub_unsubscribe(hub, &s);
		}
	}
}

int64_t hub_sub_head(const struct hub_sub *sub)
{
	int64_t head = sub->room->last_seq;

	for (const struct hub_held *h = sub->room->held; h != NULL; h = h->next)
		if (h->seq > head)
			head = h->seq;
	return head;
}

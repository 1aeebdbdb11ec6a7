/* SPDX-License-Identifier: ISC */
/*
 * A listener of a room: subscription, callbacks, and how it falls behind and catches up.
 */
#ifndef SVC_HUB_SUB_H
#define SVC_HUB_SUB_H

#include <sys/queue.h>

#include "svc/room/hub.h"

struct hub_room;
struct hub_sub;
struct hub_told;

struct hub_sub_ops {
	/*
	 * One event, live or from the log; log events come in order without gaps or repeats. false: it cannot take the
	 * event now. Then it gets no events until the owner calls hub_resume(); after that, the log from this event on.
	 * Must not unsubscribe any listener.
	 */
	bool (*event)(struct hub_sub *sub, struct hub_event *event);
	/* Its user is no longer a member: must call hub_unsubscribe(). */
	void (*ended)(struct hub_sub *sub);
	/*
	 * The log of the room was replaced (a restore was declared): earlier events are void; it continues after seq.
	 */
	void (*reset)(struct hub_sub *sub, int64_t epoch, int64_t seq);
	/* Missed events could not be read (err is temporary); the hub retries. Called once until it succeeds. */
	void (*stalled)(struct hub_sub *sub, const struct pl_err *err);
};

enum hub_sub_state {
	HUB_SUB_ASKING,		/* the room's head is being read; `done` was not called */
	HUB_SUB_BEHIND,		/* reads the log */
	HUB_SUB_PARKED,		/* cannot take events; the owner will call hub_resume() */
	HUB_SUB_LIVE		/* at the position of its room */
};

/* A listener of a room; never embedded, freed by hub_unsubscribe(). */
struct hub_sub {
	const struct hub_sub_ops *ops;
	void *owner;
	struct hub_room *room;
	struct hub_sub *prev, *next;		/* in the room */
	int64_t typing_ns;			/* the owner's: when it last passed on a typing frame */
	struct hub_asking *asking;		/* in that state */
	TAILQ_ENTRY(hub_sub) behind;		/* in its room's list, while BEHIND */
	int64_t user_id, position;		/* last seq it got; -1: not known yet */
	enum hub_sub_state state;
	bool was_live, shares;			/* shares: gets the chunk of the log that is being delivered */
	bool stalled;				/* ops->stalled was called, and nothing could be read since */
	struct hub_told *told;			/* texts of running answers that it got before it was parked */
};

struct hub_subscribed { int64_t seq, epoch; bool was_recovering, recovered; };
typedef void (hub_subscribed_fn)(void *arg, struct hub_sub *sub, const struct hub_subscribed *result,
    const struct pl_err *err);
/*
 * Starts to listen. A public room is joined first (in a separate transaction). Registers, reads the head, calls `done`,
 * then delivers since+1.. from the log and goes live. since -1: live only; epoch 0: not compared. The sub is returned
 * at once, so that the caller can unsubscribe before `done`, which then is not called. After `done` with an error
 * (PL_E_NOT_FOUND and others), it is freed. After `done` without an error, it belongs to the owner until
 * hub_unsubscribe(); later failures are reported by ops->stalled and retried.
 */
struct hub_sub *hub_subscribe(struct hub *hub, struct pl_task *task, int64_t room_id, int64_t since, int64_t epoch,
    const struct hub_sub_ops *ops, void *owner, hub_subscribed_fn *done, void *arg);
void hub_unsubscribe(struct hub *hub, struct hub_sub **sub);
/* Calls `done` with this error, if it was not called; then hub_unsubscribe() must follow. */
void hub_subscribe_fail(struct hub_sub *sub, enum pl_code code);
/* The highest seq of the room that this worker knows. */
int64_t hub_sub_head(const struct hub_sub *sub);
/* The subscription was granted; until then, it is only requested. */
static inline bool hub_sub_granted(const struct hub_sub *sub)
{
	return sub->position >= 0;
}
/* The owner of a listener that refused an event can take events again; no effect in other states. */
void hub_resume(struct hub *hub, struct hub_sub *sub);

#endif

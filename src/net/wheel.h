/* SPDX-License-Identifier: ISC */
/*
 * Coarse timers for many connections: one libevent timer per wheel, 250 ms per tick, lists instead of a heap.
 *
 * Moving a deadline to a later time is one store; the node is checked again when its old tick comes.
 */
#ifndef NET_WHEEL_H
#define NET_WHEEL_H

#include <event2/event.h>
#include <stdint.h>

#define WHEEL_TICK_MS 250
#define WHEEL_SLOTS 256
#define WHEEL_NEVER INT64_MAX

struct wheel_node {
	struct wheel_node *next, **at;	/* at: what points here; NULL = not linked */
	int64_t due;			/* tick; WHEEL_NEVER = none */
	int64_t linked;			/* tick of the place it is linked at */
};

struct wheel {
	struct event *timer;
	int64_t tick;			/* ticks of CLOCK_MONOTONIC since boot */
	void (*expired)(void *arg, struct wheel_node *node);
	void (*ticked)(void *arg);
	void *arg;
	struct wheel_node *slots[WHEEL_SLOTS];
};

/*
 * Starts the wheel's timer on `base`. expired(arg, node) runs for each node whose tick has come, after it was unlinked;
 * it may set it again or free it, and may touch other nodes. ticked(arg) runs once per tick, after these; may be NULL.
 */
void wheel_init(struct wheel *wheel, struct event_base *base, void (*expired)(void *arg, struct wheel_node *node),
    void (*ticked)(void *arg), void *arg);
void wheel_fini(struct wheel *wheel);
/* Expires `ms` from now, rounded up to a tick, and never in the current one. ms < 0: never. */
void wheel_set_ms(struct wheel *wheel, struct wheel_node *node, int64_t ms);
/* The same with an absolute tick, WHEEL_NEVER = not at all. */
void wheel_set(struct wheel *wheel, struct wheel_node *node, int64_t tick);
void wheel_remove(struct wheel_node *node);
/* The first tick that is not before the time `at_ns` of pl_now_ns(). */
int64_t wheel_tick_of(int64_t at_ns);
int64_t wheel_tick_in(const struct wheel *wheel, int64_t ms);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Overload: refuses new work when accepted work waits too long.
 *
 * Work reaches PostgreSQL in three ways that do not wait for each other: pipelined reads, messages in write groups, and
 * statements on plain connections. Each of them is judged separately, with these terms:
 *
 *   behind    the queue: how much began after the newest work that was served. Work that a lock or a slow statement
 *             holds up while later work passes it is not part of the queue.
 *   queue     there is one: at least as much was behind when a slot (interval_ns / SHED_SLOTS) began as was served in
 *             it.
 *   speed     served per second: the best of the last intervals, corrected while strict by how long the work waits.
 *   strict    more is offered than is served: even the fastest waited longer than age_ns throughout interval_ns, or
 *             something was refused within the last second.
 *
 * A queue is accepted up to what is served within age_ns, so that bursts pass; while strict, up to what is served
 * within a third of age_ns, since the processor that works it off also refuses the rest. In both cases, twice the time
 * is added that the way takes without a queue (a distant database, a slow disk), and a queue of SHED_LEAST is always
 * accepted. So some work is accepted at any time.
 *
 * No I/O and no clock here: the caller passes pl_now_ns() as now_ns.
 */
#ifndef DB_SHED_H
#define DB_SHED_H

#include <stdbool.h>
#include <stdint.h>

#define SHED_SLOTS 10		/* per interval */
#define SHED_LEAST 24		/* a queue of this length is always accepted */
#define SHED_LEAST_SENDS 64	/* the same for messages, which are stored in groups */
#define SHED_BURST 512		/* the same while it is not known whether there is a queue */
#define SHED_EXTRA 16		/* accepted per slot beyond that when nothing is served */

enum shed_way { SHED_READ, SHED_SEND, SHED_OTHER, SHED_WAYS };

/* One piece of work, from shed_begin() to shed_end(). */
struct shed_work { int64_t number, began_ns, turn_ns; };

struct shed_line {
	int64_t begun, newest;		/* number of the last that began; of the newest that was served */
	int under_way;
	bool queue, strict, stalled;	/* stalled: nothing was served in the last slot */
	int64_t refused_ns;		/* last time that something was refused */
	/* this slot */
	int64_t slot_ns, slot_behind;
	int slot_served, slot_extra;
	int64_t slot_speed;		/* of the last slots, while there is a queue */
	/* this interval */
	int64_t window_ns, fastest_ns, queued_ns;	/* the fastest, from its turn and from its own begin */
	int served, refused;
	int64_t speed;			/* the best of the last intervals, corrected by what it leads to */
	/* what it takes without a queue: the fastest of this period and of the last one */
	int64_t period_ns, idle_ns, idle_next_ns;
};

struct shed {
	int64_t age_ns, interval_ns;	/* age 0: off */
	int64_t turn_ns;		/* when this turn of the loop was first seen in here; 0: not yet */
	struct shed_line lines[SHED_WAYS];
};

void shed_init(struct shed *shed, int64_t age_ns, int64_t interval_ns, int64_t now_ns);
/* After a reload. */
void shed_set(struct shed *shed, int64_t age_ns, int64_t interval_ns);
/* Returns whether one more may start. If not, it counts as refused. */
bool shed_admit(struct shed *shed, enum shed_way way, int64_t now_ns);
/* Returns whether any way is strict, so that shed_admit() may refuse. */
bool shed_strict(const struct shed *shed);
/* In a long loop turn, the work waited before this call: its time counts from the start of the turn. */
struct shed_work shed_begin(struct shed *shed, enum shed_way way, int64_t now_ns);
/* served: PostgreSQL executed it, so its time counts. */
void shed_end(struct shed *shed, enum shed_way way, struct shed_work work, bool served, int64_t now_ns);
/* The loop's turn ends. */
void shed_turn(struct shed *shed);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A timer wheel: a ring of lists, one per tick. A node that is due after more than one turn of the ring waits in the
 * farthest list, and is put into a list again from there.
 */
#include "net/wheel.h"

#include "clock.h"
#include "pool.h"

#define TICK_NS (WHEEL_TICK_MS * PL_NS_PER_MS)

static void node_link(struct wheel *wheel, struct wheel_node *node)
{
	int64_t tick = node->due;
	struct wheel_node **head;

	if (tick > wheel->tick + WHEEL_SLOTS - 1)
		tick = wheel->tick + WHEEL_SLOTS - 1;
	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	head = &wheel->slots[(uint64_t)tick % WHEEL_SLOTS];
	node->linked = tick;
	node->next = *head;
	node->at = head;
	if (node->next != NULL)
		node->next->at = &node->next;
	*head = node;
}

void wheel_remove(struct wheel_node *node)
{
	if (node->at == NULL)
		return;
	*node->at = node->next;
	if (node->next != NULL)
		node->next->at = node->at;
	node->next = NULL;
	node->at = NULL;
}

void wheel_set(struct wheel *wheel, struct wheel_node *node, int64_t tick)
{
	node->due = tick;
	if (node->at != NULL && node->linked <= tick)
		return;		/* the node is checked before it is due */
	if (node->at == NULL && tick == WHEEL_NEVER)
		return;
	wheel_remove(node);
	node_link(wheel, node);
}

int64_t wheel_tick_of(int64_t at_ns)
{
	return (at_ns + TICK_NS - 1) / TICK_NS;
}

int64_t wheel_tick_in(const struct wheel *wheel, int64_t ms)
{
	return ms < 0 ? WHEEL_NEVER : wheel->tick + (ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS + 1;
}

void wheel_set_ms(struct wheel *wheel, struct wheel_node *node, int64_t ms)
{
	wheel_set(wheel, node, wheel_tick_in(wheel, ms));
}

/* The nodes are first moved to a separate list, so that callbacks may link and free any node. */
static void run_slot(struct wheel *wheel)
{
	struct wheel_node *list = wheel->slots[(uint64_t)wheel->tick % WHEEL_SLOTS], *node;

	wheel->slots[(uint64_t)wheel->tick % WHEEL_SLOTS] = NULL;
	if (list != NULL)
		list->at = &list;
	while ((node = list) != NULL) {
		wheel_remove(node);
		if (node->due == WHEEL_NEVER)
			continue;
		if (node->due > wheel->tick)
			node_link(wheel, node);
		else
			wheel->expired(wheel->arg, node);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wheel *wheel = arg;
	int64_t now = pl_now_ns() / TICK_NS;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (now - wheel->tick > WHEEL_SLOTS)	/* the process was stopped: run each list once */
		wheel->tick = now - WHEEL_SLOTS;
	while (wheel->tick < now) {
		wheel->tick++;
		run_slot(wheel);
	}
	if (wheel->ticked != NULL)
		wheel->ticked(wheel->arg);
}

void wheel_init(struct wheel *wheel, struct event_base *base, void (*expired)(void *arg, struct wheel_node *node),
    void (*ticked)(void *arg), void *arg)
{
	static const struct timeval every = { .tv_usec = WHEEL_TICK_MS * 1000 };

	*wheel = (struct wheel){ .tick = pl_now_ns() / TICK_NS, .expired = expired, .ticked = ticked, .arg = arg };
	wheel->timer = event_new(base, -1, EV_PERSIST, on_timer, wheel);
	PL_BUG(wheel->timer == NULL || event_add(wheel->timer, &every) != 0);
}

void wheel_fini(struct wheel *wheel)
{
	if (wheel->timer != NULL)
		event_free(wheel->timer);
	wheel->timer = NULL;
}

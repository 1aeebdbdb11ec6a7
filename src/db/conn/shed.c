/* SPDX-License-Identifier: ISC */
/* Decides from slots and intervals of time how much work is accepted. */
#include "db/conn/shed.h"

#include "clock.h"
#include "pool.h"

#define PERIOD_NS (30 * PL_NS_PER_S)	/* idle_ns covers two of these periods */
#define CALM_NS PL_NS_PER_S		/* strict ends after this time without a refusal */
#define NEVER_NS INT64_MAX

enum { SERVED_MIN = 8 };	/* with fewer, the slot continues, at most for a whole interval */

/* Work that was given up without being served no longer waits, either. */
static int64_t behind(const struct shed_line *line)
{
	int64_t count = line->begun - line->newest;

	return count < line->under_way ? count : line->under_way;
}

static void slot_begin(struct shed_line *line, int64_t now_ns)
{
	line->slot_ns = now_ns;
	line->slot_behind = behind(line);
	line->slot_served = line->slot_extra = 0;
}

static void window_begin(struct shed_line *line, int64_t now_ns)
{
	line->window_ns = now_ns;
	line->fastest_ns = line->queued_ns = NEVER_NS;
	line->served = line->refused = 0;
}

void shed_init(struct shed *shed, int64_t age_ns, int64_t interval_ns, int64_t now_ns)
{
	*shed = (struct shed){ .age_ns = age_ns, .interval_ns = interval_ns };
	for (int i = 0; i < SHED_WAYS; i++) {
		struct shed_line *line = &shed->lines[i];

		line->period_ns = now_ns;
		line->idle_ns = line->idle_next_ns = NEVER_NS;
		slot_begin(line, now_ns);
		window_begin(line, now_ns);
	}
}

void shed_set(struct shed *shed, int64_t age_ns, int64_t interval_ns)
{
	shed->age_ns = age_ns;
	shed->interval_ns = interval_ns;
}

/* Limited by age_ns, in case the line was never seen without a queue. */
static int64_t idle_of(const struct shed *shed, const struct shed_line *line)
{
	return line->idle_ns < shed->age_ns ? line->idle_ns : line->idle_ns == NEVER_NS ? 0 : shed->age_ns;
}

/* While strict, nothing is forgotten. Otherwise, a long overload would look like a slow database. */
static void idle_learn(struct shed_line *line, int64_t now_ns)
{
	if (line->queued_ns < line->idle_ns)
		line->idle_ns = line->queued_ns;
	if (line->strict)
		return;
	if (line->queued_ns < line->idle_next_ns)
		line->idle_next_ns = line->queued_ns;
	if (now_ns - line->period_ns < PERIOD_NS)
		return;
	line->period_ns = now_ns;
	line->idle_ns = line->idle_next_ns;
	line->idle_next_ns = NEVER_NS;
}

/*
 * The highest speed of the last intervals, because a short queue may be served more slowly than a long one (messages
 * are stored in groups). The speed is too high if even the fastest was late, and too low if something was refused
 * although the fastest was early.
 */
static void speed_learn(const struct shed *shed, struct shed_line *line, int64_t took_ns)
{
	int64_t speed = line->served * PL_NS_PER_S / took_ns, idle = idle_of(shed, line);

	if (line->strict && line->queued_ns > shed->age_ns + idle)
		line->speed -= line->speed / 8;
	else if (line->strict && line->refused > 0 && line->queued_ns < shed->age_ns / 2 + idle)
		line->speed += line->speed / 16;
	else if (!line->strict)
		line->speed -= line->speed / 64;
	if (line->speed < speed)
		line->speed = speed;
}

static void window_end(const struct shed *shed, struct shed_line *line, int64_t now_ns)
{
	if (line->strict && now_ns - line->refused_ns > CALM_NS)
		line->strict = false;
	if (line->served > 0) {
		idle_learn(line, now_ns);
		speed_learn(shed, line, now_ns - line->window_ns);
		if (line->queue && !line->strict && line->fastest_ns > shed->age_ns + idle_of(shed, line)) {
			line->strict = true;
			line->refused_ns = now_ns;
		}
	}
	window_begin(line, now_ns);
}

static void slot_end(struct shed_line *line, int64_t now_ns)
{
	int64_t speed = line->slot_served * PL_NS_PER_S / (now_ns - line->slot_ns);

	line->stalled = line->slot_served == 0;
	if (!line->stalled) {
		line->queue = line->slot_behind >= line->slot_served;
		if (!line->queue)
			line->slot_speed = 0;
		else
			line->slot_speed = line->slot_speed == 0 ? speed : (line->slot_speed + speed) / 2;
	}
	slot_begin(line, now_ns);
}

static void look(struct shed *shed, struct shed_line *line, int64_t now_ns)
{
	int64_t took_ns = now_ns - line->slot_ns;

	if (shed->turn_ns == 0)
		shed->turn_ns = now_ns;
	if (took_ns >= shed->interval_ns ||
	    (took_ns >= shed->interval_ns / SHED_SLOTS && line->slot_served >= SERVED_MIN))
		slot_end(line, now_ns);
	if (now_ns - line->window_ns >= shed->interval_ns)
		window_end(shed, line, now_ns);
}

/*
 * Returns how long the queue may be. Many requests can become ready in one loop turn, before anything is known about
 * them. A message that comes while a group is stored waits for that group and for its own: twice the time without a
 * queue.
 */
static int64_t bound(const struct shed *shed, const struct shed_line *line)
{
	int64_t burst_ns = line->idle_ns == NEVER_NS ? shed->interval_ns : shed->age_ns;
	int64_t wait_ns = 2 * idle_of(shed, line) + (line->strict ? shed->age_ns / 3 : burst_ns);
	int64_t speed = line->speed > line->slot_speed || line->strict ? line->speed : line->slot_speed;
	int64_t count = speed * (wait_ns / 1000) / (PL_NS_PER_S / 1000);
	int64_t least = !line->queue && !line->strict ? SHED_BURST :
	    line == &shed->lines[SHED_SEND] ? SHED_LEAST_SENDS : SHED_LEAST;

	return count < least ? least : count;
}

bool shed_admit(struct shed *shed, enum shed_way way, int64_t now_ns)
{
	struct shed_line *line = &shed->lines[way];

	look(shed, line, now_ns);
	if (shed->age_ns == 0 || behind(line) < bound(shed, line))
		return true;
	if (line->stalled && line->slot_extra < SHED_EXTRA) {	/* others may be blocked, not this one */
		line->slot_extra++;
		return true;
	}
	line->refused++;
	line->refused_ns = now_ns;
	line->strict = true;
	return false;
}

bool shed_strict(const struct shed *shed)
{
	return shed->lines[SHED_READ].strict || shed->lines[SHED_SEND].strict || shed->lines[SHED_OTHER].strict;
}

struct shed_work shed_begin(struct shed *shed, enum shed_way way, int64_t now_ns)
{
	struct shed_line *line = &shed->lines[way];

	look(shed, line, now_ns);
	line->under_way++;
	return (struct shed_work){ .number = ++line->begun, .began_ns = now_ns, .turn_ns = shed->turn_ns };
}

void shed_end(struct shed *shed, enum shed_way way, struct shed_work work, bool served, int64_t now_ns)
{
	struct shed_line *line = &shed->lines[way];
	int64_t took_ns = now_ns - work.turn_ns, queued_ns = now_ns - work.began_ns;

	look(shed, line, now_ns);
	PL_BUG(line->under_way == 0);
	line->under_way--;
	if (!served)
		return;
	line->served++;
	line->slot_served++;
	if (work.number > line->newest)
		line->newest = work.number;
	if (took_ns < line->fastest_ns)
		line->fastest_ns = took_ns;
	if (queued_ns < line->queued_ns)
		line->queued_ns = queued_ns;
}

void shed_turn(struct shed *shed)
{
	shed->turn_ns = 0;
}

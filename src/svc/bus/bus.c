/* SPDX-License-Identifier: ISC */
/* Reads the rings, and keeps the table of topics and their handlers. */
#include "svc/bus/bus.h"

#define RING_BUDGET 2048	/* events per loop turn, because sockets must be served in between */
#define WATCHERS_MAX 12

struct bus {
	struct svc *svc;
	struct { bus_event_fn *fn; void *topic; } kinds[RING_KINDS];
	struct { const struct bus_hooks *hooks; void *topic; } watchers[WATCHERS_MAX];
	int watchers_count;
	struct shm_reader reader;
	bool busy;			/* the reader is awake */
};

/* ---- registering ---- */

void bus_register(struct bus *bus, enum ring_kind kind, bus_event_fn *fn, void *topic)
{
	PL_BUG(bus->kinds[kind].fn != NULL);
	bus->kinds[kind].fn = fn;
	bus->kinds[kind].topic = topic;
}

void bus_watch(struct bus *bus, const struct bus_hooks *hooks, void *topic)
{
	PL_BUG(bus->watchers_count == WATCHERS_MAX);
	bus->watchers[bus->watchers_count].hooks = hooks;
	bus->watchers[bus->watchers_count++].topic = topic;
}

/* ---- sending ---- */

void bus_post(struct svc *svc, enum ring_kind kind, struct pl_str head, struct pl_str body)
{
	struct shm_mask mask;

	shm_mask_all(svc->shm, &mask);
	shm_ring_post(svc->shm, &mask, kind, head, body);
}

void bus_post_to(struct svc *svc, uint64_t key, enum ring_kind kind, struct pl_str head, struct pl_str body)
{
	struct shm_mask mask;

	if (shm_route_mask(svc->shm, key, &mask))
		shm_ring_post(svc->shm, &mask, kind, head, body);
}

void bus_kick(struct svc *svc)
{
	shm_ring_kick(svc->shm);
}

/* ---- delivering ---- */

static void bus_on_event(void *arg, int from_slot, uint32_t kind, struct pl_str data)
{
	struct bus *bus = arg;

	if (kind < RING_KINDS && bus->kinds[kind].fn != NULL)
		bus->kinds[kind].fn(bus->kinds[kind].topic, from_slot, data);
}

static void bus_on_lapped(void *arg, int from_slot)
{
	struct bus *bus = arg;

	shm_count(bus->svc->shm, SHM_M_ring_laps, 1);
	for (int i = 0; i < bus->watchers_count; i++)
		if (bus->watchers[i].hooks->lost != NULL)
			bus->watchers[i].hooks->lost(bus->watchers[i].topic);
}

static void reader_awake(struct bus *bus)
{
	shm_reader_awake(&bus->reader, bus->svc->shm);
	bus->busy = true;
}

void bus_wake(struct bus *bus, enum wake why, int slot)
{
	for (int i = 0; i < bus->watchers_count; i++) {
		const struct bus_hooks *hooks = bus->watchers[i].hooks;

		if (why == WAKE_TICK && hooks->tick != NULL)
			hooks->tick(bus->watchers[i].topic);
		else if (why == WAKE_SLOT_DIED && hooks->slot_died != NULL)
			hooks->slot_died(bus->watchers[i].topic, slot);
	}
	if (why != WAKE_TICK)
		reader_awake(bus);
}

void bus_turn(struct bus *bus)
{
	struct shm *shm = bus->svc->shm;

	if (bus->busy) {
		bus->busy = shm_reader_run(&bus->reader, shm, RING_BUDGET, bus_on_event, bus_on_lapped, bus);
		if (!bus->busy && shm_reader_sleep(&bus->reader, shm))
			reader_awake(bus);
		if (bus->busy)
			worker_again(bus->svc->worker);
	}
	bus_kick(bus->svc);
}

/* ---- creation and end ---- */

struct bus *bus_new(struct svc *svc)
{
	struct bus *bus = pl_new(sizeof(*bus));

	bus->svc = svc;
	shm_reader_init(&bus->reader, svc->shm);
	bus->busy = true;	/* the first turn announces sleep */
	return bus;
}

void bus_free(struct bus **bus)
{
	if (*bus == NULL)
		return;
	shm_reader_fini(&(*bus)->reader);
	pl_free(*bus);
	*bus = NULL;
}

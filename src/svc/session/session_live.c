/* SPDX-License-Identifier: ISC */
/*
 * Watchers of sessions on this worker.
 */
#include "svc/session/session_live.h"

#include <ctype.h>

#include "svc/bus/bus.h"

#define BUCKETS 256

struct session_live {
	struct svc *svc;
	struct session_watcher *buckets[BUCKETS];
};

/* FNV-1a; the upper bits distinguish it from topics of rooms. */
static uint64_t topic_key(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * 0x100000001b3ULL;
	return (hash >> 4) | 1ULL << 62;
}

static struct session_watcher **bucket_of(struct session_live *live, const char *id)
{
	return &live->buckets[topic_key(id) % BUCKETS];
}

void session_live_add(struct session_live *live, struct session_watcher *watcher)
{
	struct session_watcher **at = bucket_of(live, watcher->id);

	watcher->next = *at;
	*at = watcher;
	shm_route_add(live->svc->shm, topic_key(watcher->id));
}

void session_live_remove(struct session_live *live, struct session_watcher *watcher)
{
	struct session_watcher **at = bucket_of(live, watcher->id);

	while (*at != watcher)
		at = &(*at)->next;
	*at = watcher->next;
	shm_route_remove(live->svc->shm, topic_key(watcher->id));
}

static void session_live_tell(struct session_live *live, const char *id)
{
	for (struct session_watcher *w = *bucket_of(live, id); w != NULL; w = w->next)
		if (strcmp(w->id, id) == 0)
			w->changed(w);
}

void session_live_changed(struct svc *svc, struct pl_str id)
{
	char lower[PL_UUID_LEN + 1] = "";

	if (!pl_uuid_ok(id))
		return;
	for (size_t i = 0; i < PL_UUID_LEN; i++)
		lower[i] = (char)tolower((unsigned char)id.ptr[i]);
	if (svc->session_live != NULL)
		session_live_tell(svc->session_live, lower);
	bus_post_to(svc, topic_key(lower), RING_SESSION, pl_strn(lower, sizeof(lower)), PL_STR_NONE);
}

static void session_live_on_ring(void *live, int from_slot, struct pl_str data)
{
	session_live_tell(live, data.ptr);
}

static void session_live_check_all(void *arg)
{
	struct session_live *live = arg;

	for (int i = 0; i < BUCKETS; i++)
		for (struct session_watcher *w = live->buckets[i]; w != NULL; w = w->next)
			w->changed(w);
}

static void session_live_slot_died(void *live, int slot)
{
	session_live_check_all(live);
}

struct session_live *session_live_new(struct svc *svc)
{
	static const struct bus_hooks hooks = { .lost = session_live_check_all, .slot_died = session_live_slot_died };
	struct session_live *live = pl_new(sizeof(*live));

	live->svc = svc;
	bus_register(svc->bus, RING_SESSION, session_live_on_ring, live);
	bus_watch(svc->bus, &hooks, live);
	return live;
}

void session_live_free(struct session_live **live)
{
	pl_free(*live);
	*live = NULL;
}

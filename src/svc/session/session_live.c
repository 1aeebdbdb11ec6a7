/* SPDX-License-Identifier: ISC */
/*
 * Watchers of sessions on this worker.
 */
#include "svc/session/session_live.h"

#include <ctype.h>

#include "svc/room/hub.h"

#define BUCKETS 256

struct session_live {
	struct svc *svc;
	struct session_watcher *buckets[BUCKETS];
};

/* FNV-1a; the upper bits say that it is no room's topic. */
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

static void tell(struct session_live *live, const char *id)
{
	for (struct session_watcher *w = *bucket_of(live, id); w != NULL; w = w->next)
		if (strcmp(w->id, id) == 0)
			w->changed(w);
}

void session_live_changed(struct svc *svc, struct pl_str id)
{
	char lower[PL_UUID_LEN + 1] = "";
	struct shm_mask mask;

	if (!pl_uuid_ok(id))
		return;
	for (size_t i = 0; i < PL_UUID_LEN; i++)
		lower[i] = (char)tolower((unsigned char)id.ptr[i]);
	if (svc->session_live != NULL)
		tell(svc->session_live, lower);
	if (shm_route_mask(svc->shm, topic_key(lower), &mask))
		shm_ring_post(svc->shm, &mask, RING_SESSION, pl_strn(lower, sizeof(lower)), PL_STR_NONE);
}

void session_live_on_ring(struct session_live *live, struct pl_str data)
{
	tell(live, data.ptr);
}

void session_live_check_all(struct session_live *live)
{
	for (int i = 0; i < BUCKETS; i++)
		for (struct session_watcher *w = live->buckets[i]; w != NULL; w = w->next)
			w->changed(w);
}

struct session_live *session_live_new(struct svc *svc)
{
	struct session_live *live = pl_new(sizeof(*live));

	live->svc = svc;
	return live;
}

void session_live_free(struct session_live **live)
{
	pl_free(*live);
	*live = NULL;
}

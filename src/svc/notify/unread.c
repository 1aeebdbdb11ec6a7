/* SPDX-License-Identifier: ISC */
/*
 * Events, and frames:
 *
 *   event -> number in memory, or not known any more -> dirty -> timer -> [count] -> frame
 */
#include "svc/notify/unread_int.h"

#include "clock.h"
#include "json.h"
#include "svc/bus/bus.h"
#include "svc/notify/read_mark.h"

#define EVERY_MS 1000		/* at most one frame per room and user in this time */
#define LOOK_MAX 2000		/* entries of one turn */
#define GAP_TICKS 2		/* seconds until an event that is missing counts as lost */
#define ROUTE_ROOM (1ULL << 61)
#define ROUTE_USER (1ULL << 62)

/* What the rings carry. */
struct log_event { int64_t room_id, seq, author_id; int32_t event, pad; };
struct mark_event { int64_t user_id, room_id, seq; int32_t kind, pad; };
enum { MARK_READ, MARK_BACK, MARK_MENTION };

static uint32_t now_ms(void)
{
	return (uint32_t)(pl_now_ns() / PL_NS_PER_MS);
}

/* ---- frames ---- */

void unread_arm(struct unread *unread, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!unread->armed && evtimer_add(unread->timer, &tv) == 0)
		unread->armed = true;
}

void unread_dirty(struct unread *unread, struct unread_entry *entry)
{
	if (entry->dirty)
		return;
	entry->dirty = true;
	TAILQ_INSERT_TAIL(&unread->dirty, entry, in_dirty);
	unread_arm(unread, now_ms() - entry->told_ms >= EVERY_MS ? 0 : UNREAD_WAKE_MS);
}

static void clean(struct unread *unread, struct unread_entry *entry)
{
	if (entry->dirty)
		TAILQ_REMOVE(&unread->dirty, entry, in_dirty);
	entry->dirty = false;
}

void unread_tell(struct unread *unread, struct unread_entry *entry)
{
	char text[192];
	int length;
	struct unread_sub *sub;

	clean(unread, entry);
	if (entry->told && entry->told_number == entry->number && entry->told_mentions == entry->mentions)
		return;
	entry->told = true;
	entry->told_number = entry->number;
	entry->told_mentions = entry->mentions;
	entry->told_ms = now_ms();
	length = snprintf(text, sizeof(text), "{\"type\":\"unread\",\"topic\":\"user:me\",\"room_id\":%lld,"
	    "\"last_read\":%lld,\"unread\":%d,\"mentions\":%d}", (long long)entry->room->node.id,
	    (long long)entry->last_read, entry->number, entry->mentions);
	LIST_FOREACH(sub, &entry->user->subs, link)
		sub->fn(sub->owner, pl_strn(text, (size_t)length));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct unread *unread = arg;
	struct read_mark marks[UNREAD_ASK];
	struct unread_entry *entry, *next, *last = TAILQ_LAST(&unread->dirty, unread_dirty_list);
	uint32_t now = now_ms();
	int count = 0, looked = 0;

	unread->armed = false;
	unread_load(unread);
	for (entry = TAILQ_FIRST(&unread->dirty); entry != NULL && looked < LOOK_MAX; entry = next) {
		next = entry != last ? TAILQ_NEXT(entry, in_dirty) : NULL;
		looked++;
		if (entry->known && now - entry->told_ms >= EVERY_MS) {
			unread_tell(unread, entry);
			continue;
		}
		TAILQ_REMOVE(&unread->dirty, entry, in_dirty);	/* the others come first the next time */
		TAILQ_INSERT_TAIL(&unread->dirty, entry, in_dirty);
		if (!entry->known && now - entry->told_ms >= EVERY_MS && count < UNREAD_ASK && !unread->counting)
			marks[count++] = (struct read_mark){ .user_id = entry->user->node.id,
				.room_id = entry->room->node.id, .last_read = entry->last_read };
	}
	if (count > 0)
		unread_count(unread, marks, count);
	if (!TAILQ_EMPTY(&unread->dirty))
		unread_arm(unread, looked < LOOK_MAX ? UNREAD_WAKE_MS : 10);
}

/* ---- messages ---- */

/* Nothing to do for a number that cannot grow. */
static void not_known(struct unread *unread, struct unread_entry *entry)
{
	entry->known = false;
	unread_dirty(unread, entry);
}

void unread_room_lost(struct unread *unread, struct unread_room *room, int64_t last_seq)
{
	struct unread_entry *entry;

	if (last_seq > room->last_seq)
		room->last_seq = last_seq;
	room->seen = UINT64_MAX;
	room->gap_ticks = 0;
	LIST_FOREACH(entry, &room->entries, in_room)
		if (entry->last_read < room->last_seq && !(entry->known && entry->number == UNREAD_MAX))
			not_known(unread, entry);
}

/* false: the event was received before. */
static bool is_new(struct unread *unread, struct unread_room *room, int64_t seq)
{
	int64_t ahead = seq - room->last_seq;

	if (ahead >= 64) {
		unread_room_lost(unread, room, seq - 1);
		ahead = 1;
	}
	if (ahead > 0) {
		room->seen = room->seen << ahead | 1;
		room->last_seq = seq;
		return true;
	}
	if (ahead <= -64 || (room->seen >> -ahead & 1) != 0)
		return false;
	room->seen |= 1ULL << -ahead;
	return true;
}

static void log_arrived(struct unread *unread, const struct log_event *e)
{
	struct unread_room *room = (void *)unread_find(&unread->rooms, e->room_id);
	struct unread_entry *entry;

	if (room == NULL || !is_new(unread, room, e->seq) || e->event == UNREAD_OTHER)
		return;
	LIST_FOREACH(entry, &room->entries, in_room) {
		if (e->seq <= entry->last_read)
			continue;
		if (e->event == UNREAD_DELETED) {
			if (!entry->known || entry->number > 0)
				not_known(unread, entry);
		} else if (!entry->known) {
			unread_dirty(unread, entry);
		} else if (e->seq > entry->counted && e->author_id != entry->user->node.id &&
		    entry->number < UNREAD_MAX) {
			entry->number++;
			unread_dirty(unread, entry);
		}
	}
}

static void on_log(void *unread, int from_slot, struct pl_str data)
{
	struct log_event e;

	PL_UNUSED(from_slot);
	memcpy(&e, data.ptr, sizeof(e));
	log_arrived(unread, &e);
}

void unread_published(struct svc *svc, enum unread_event event, int64_t room_id, int64_t seq, int64_t author_id)
{
	struct log_event e = { .room_id = room_id, .seq = seq, .author_id = author_id, .event = (int32_t)event };

	if (svc->unread == NULL)
		return;
	bus_post_to(svc, (uint64_t)room_id | ROUTE_ROOM, RING_UNREAD, pl_strn((const char *)&e, sizeof(e)),
	    PL_STR_NONE);
	log_arrived(svc->unread, &e);
}

/* ---- markers ---- */

static void mark_arrived(struct unread *unread, const struct mark_event *e)
{
	struct unread_entry *entry = unread_entry_find(unread, e->user_id, e->room_id);

	if (e->kind == MARK_BACK)
		read_mark_forget(unread->svc, e->user_id, e->room_id);
	if (entry == NULL || (e->kind == MARK_READ && e->seq <= entry->last_read))
		return;
	if (e->kind != MARK_MENTION) {
		entry->last_read = e->kind == MARK_BACK ? e->seq - 1 : e->seq;
		entry->told = false;
	}
	if (e->kind == MARK_READ && e->seq >= entry->room->last_seq) {
		entry->known = true;
		entry->number = entry->mentions = 0;
		entry->counted = e->seq;
		unread_dirty(unread, entry);
	} else {
		not_known(unread, entry);
	}
}

static void on_mark(void *unread, int from_slot, struct pl_str data)
{
	struct mark_event e;

	PL_UNUSED(from_slot);
	memcpy(&e, data.ptr, sizeof(e));
	mark_arrived(unread, &e);
}

static void mark_post(struct svc *svc, const struct mark_event *e)
{
	struct pl_str data = pl_strn((const char *)e, sizeof(*e));

	if (e->kind == MARK_BACK)	/* also to workers that only have a marker to write */
		bus_post(svc, RING_MARK, data, PL_STR_NONE);
	else
		bus_post_to(svc, (uint64_t)e->user_id | ROUTE_USER, RING_MARK, data, PL_STR_NONE);
	if (svc->unread != NULL)
		mark_arrived(svc->unread, e);
}

void unread_moved(struct svc *svc, int64_t user_id, int64_t room_id, int64_t seq, bool back)
{
	mark_post(svc, &(struct mark_event){ .user_id = user_id, .room_id = room_id, .seq = seq,
		.kind = back ? MARK_BACK : MARK_READ });
}

void unread_mentioned(struct svc *svc, int64_t user_id, int64_t room_id)
{
	mark_post(svc, &(struct mark_event){ .user_id = user_id, .room_id = room_id, .kind = MARK_MENTION });
}

void unread_member(struct svc *svc, int64_t user_id, int64_t room_id, bool joined)
{
	struct unread_user *user = svc->unread != NULL ? (void *)unread_find(&svc->unread->users, user_id) : NULL;
	struct unread_entry *entry;

	if (user == NULL)
		return;
	entry = unread_entry_find(svc->unread, user_id, room_id);
	if (joined)
		unread_load_later(svc->unread, user);
	else if (entry != NULL)
		unread_entry_free(svc->unread, entry);
}

/* ---- listeners ---- */

struct unread_sub *unread_listen(struct unread *unread, int64_t user_id, unread_frame_fn *fn, void *owner)
{
	struct unread_user *user = (void *)unread_find(&unread->users, user_id);
	struct unread_sub *sub = pl_new(sizeof(*sub));

	if (user == NULL) {
		user = pl_new(sizeof(*user));
		user->node.id = user_id;
		unread_insert(&unread->users, &user->node);
		shm_route_add(unread->svc->shm, (uint64_t)user_id | ROUTE_USER);
		unread_load_later(unread, user);
	}
	*sub = (struct unread_sub){ .user = user, .fn = fn, .owner = owner };
	LIST_INSERT_HEAD(&user->subs, sub, link);
	return sub;
}

void unread_unlisten(struct unread *unread, struct unread_sub **sub_at)
{
	struct unread_sub *sub = *sub_at;
	struct unread_user *user;

	*sub_at = NULL;
	if (sub == NULL)
		return;
	user = sub->user;
	LIST_REMOVE(sub, link);
	pl_free(sub);
	if (!LIST_EMPTY(&user->subs))
		return;
	while (!LIST_EMPTY(&user->entries))
		unread_entry_free(unread, LIST_FIRST(&user->entries));
	if (user->wanted)
		TAILQ_REMOVE(&unread->loads, user, in_loads);
	unread_remove(&unread->users, &user->node);
	shm_route_remove(unread->svc->shm, (uint64_t)user->node.id | ROUTE_USER);
	pl_free(user);
}

/* ---- lost events ---- */

/* All markers and positions are read again. */
static void reload_all(void *arg)
{
	struct unread *unread = arg;

	for (uint32_t i = 0; i < unread->users.size; i++)
		for (struct unread_node *node = unread->users.buckets[i]; node != NULL; node = node->next)
			unread_load_later(unread, (void *)node);
}

static void on_slot_died(void *unread, int slot)
{
	PL_UNUSED(slot);
	reload_all(unread);
}

static void on_tick(void *arg)
{
	struct unread *unread = arg;

	for (uint32_t i = 0; i < unread->rooms.size; i++)
		for (struct unread_node *node = unread->rooms.buckets[i]; node != NULL; node = node->next) {
			struct unread_room *room = (void *)node;

			if (room->seen == UINT64_MAX)
				room->gap_ticks = 0;
			else if (++room->gap_ticks >= GAP_TICKS)
				unread_room_lost(unread, room, room->last_seq);
		}
}

/* ---- creation and end ---- */

struct unread *unread_new(struct svc *svc)
{
	static const struct bus_hooks hooks = { .lost = reload_all, .slot_died = on_slot_died, .tick = on_tick };
	struct unread *unread = pl_new(sizeof(*unread));

	unread->svc = svc;
	TAILQ_INIT(&unread->dirty);
	TAILQ_INIT(&unread->loads);
	unread->timer = evtimer_new(svc->worker->base, on_timer, unread);
	PL_BUG(unread->timer == NULL);
	bus_register(svc->bus, RING_UNREAD, on_log, unread);
	bus_register(svc->bus, RING_MARK, on_mark, unread);
	bus_watch(svc->bus, &hooks, unread);
	return unread;
}

void unread_free(struct unread **unread_at)
{
	struct unread *unread = *unread_at;

	*unread_at = NULL;
	if (unread == NULL)
		return;
	PL_BUG(unread->users.count != 0);
	event_free(unread->timer);
	pl_free(unread->rooms.buckets);
	pl_free(unread->users.buckets);
	pl_free(unread);
}

/* SPDX-License-Identifier: ISC */
/*
 * Order: a room delivers seq = last + 1. Early events are held while the gap is read from PostgreSQL; late ones are
 * dropped. So if a worker is killed between commit and ring, clients that stay connected lose a few milliseconds, but
 * no message.
 */
#include "clock.h"
#include "db/repo/repo_room.h"
#include "log.h"
#include "svc/room/hub_rooms.h"

#define GAP_WAIT_NS (20 * PL_NS_PER_MS)	/* the event is usually only late in the ring of another worker */
#define HELD_MAX 4096			/* if more are held, the log is read */
#define HELD_BYTES (1 << 20)
#define FILL_LIMIT 500
#define FILL_BYTES (256 << 10)
#define HEADS_LIMIT 500
#define READ_TIME_NS (10 * PL_NS_PER_S)
#define COMPARE_EVERY_NS (200 * PL_NS_PER_MS)

static void start_fill(struct hub *hub, struct hub_room *room);
static void compare(struct hub *hub, struct hub_room *room);

void hub_log_arm(struct hub *hub, int64_t wait_ns)
{
	struct timeval tv = { 0, (suseconds_t)(wait_ns / 1000) };

	if (!hub->gap_armed && evtimer_add(hub->gap_timer, &tv) == 0)
		hub->gap_armed = true;
}

static size_t text_bytes(const struct hub_event *event)
{
	return event->log.is_message ? event->log.message.content.len : event->log.change.body.len;
}

static void keep_event(struct hub_room *room, struct hub_held *held, struct hub_event *event)
{
	held->event = hub_event_hold(event);
	room->held_bytes += text_bytes(event);
}

static void hold(struct hub *hub, struct hub_room *room, int64_t seq, struct hub_event *event)
{
	struct hub_held **at = &room->held, *h;

	while (*at != NULL && (*at)->seq < seq)
		at = &(*at)->next;
	if (room->held_count >= HELD_MAX || room->held_bytes >= HELD_BYTES)
		event = NULL;
	if (*at != NULL && (*at)->seq == seq) {
		if ((*at)->event == NULL && event != NULL)
			keep_event(room, *at, event);
		return;
	}
	h = pl_new(sizeof(*h));
	h->seq = seq;
	if (event != NULL)
		keep_event(room, h, event);
	h->next = *at;
	*at = h;
	room->held_count++;
	if (room->gap_since_ns == 0)
		room->gap_since_ns = pl_now_ns();
	hub_log_arm(hub, GAP_WAIT_NS);
}

static void drop_first_held(struct hub_room *room)
{
	struct hub_held *h = room->held;

	room->held = h->next;
	room->held_count--;
	if (h->event != NULL)
		room->held_bytes -= text_bytes(h->event);
	hub_event_release(&h->event);
	pl_free(h);
}

void hub_log_room_fini(struct hub_room *room)
{
	while (room->held != NULL)
		drop_first_held(room);
}

/* Users who left or were removed, and those for whom the room became invisible, must not receive later events. */
static void look_at_change(struct hub *hub, struct hub_room *room, const struct hub_event *event)
{
	int64_t user;

	if (event->log.is_message)
		return;
	hub_audience_changed(hub, room, event);
	if (!pl_str_is(event->log.change.kind, "left"))
		return;
	user = hub_change_user(event->pool, &event->log.change);
	if (user > 0)
		hub_room_evict(hub, room, user);
}

static void deliver_next(struct hub *hub, struct hub_room *room, struct hub_event *event)
{
	room->last_seq = event->seq;
	hub_room_deliver(hub, room, event);
	look_at_change(hub, room, event);
	hub_generation_logged(hub, room);
}

/* Delivers held events that now fit. `busy` keeps the room. */
static void drain_held(struct hub *hub, struct hub_room *room)
{
	while (room->held != NULL && room->held->seq <= room->last_seq + 1 &&
	    (room->held->event != NULL || room->held->seq <= room->last_seq)) {
		struct hub_event *event = room->held->event != NULL ? hub_event_hold(room->held->event) : NULL;
		int64_t seq = room->held->seq;

		drop_first_held(room);
		if (seq == room->last_seq + 1) {
			deliver_next(hub, room, event);
		}
		hub_event_release(&event);
	}
	room->gap_since_ns = room->held != NULL ? pl_now_ns() : 0;
	if (room->held != NULL)
		hub_log_arm(hub, GAP_WAIT_NS);
}

static void arrived(struct hub *hub, struct hub_room *room, struct hub_event *event)
{
	if (room->last_seq >= 0 && event->seq <= room->last_seq)
		return;
	if (room->last_seq >= 0 && event->seq == room->last_seq + 1) {
		deliver_next(hub, room, event);
		if (room->held != NULL)
			drain_held(hub, room);
	} else {
		hold(hub, room, event->seq, event);
	}
}

void hub_log_arrived(struct hub *hub, struct hub_event *event)
{
	struct hub_room *room = hub_room_find(hub, event->room_id);

	if (room == NULL)
		return;
	if (event->seq <= room->last_seq)
		compare(hub, room);
	room->busy++;
	arrived(hub, room, event);
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}

void hub_log_hint(struct hub *hub, int64_t room_id, int64_t seq)
{
	struct hub_room *room = hub_room_find(hub, room_id);

	if (room == NULL || room->last_seq < 0)
		return;
	if (seq <= room->last_seq) {
		compare(hub, room);
		return;
	}
	hold(hub, room, seq, NULL);
	start_fill(hub, room);
}

void hub_log_known(struct hub *hub, struct hub_room *room, int64_t last_seq, int64_t epoch)
{
	room->busy++;
	if (room->last_seq < 0) {
		room->last_seq = last_seq;
		room->epoch = epoch;
	} else if (room->epoch != epoch) {
		hub_log_room_fini(room);
		room->last_seq = last_seq;
		room->epoch = epoch;
		room->gap_since_ns = 0;
		hub_room_reset(hub, room);
		room->compared_ns = 0;
		compare(hub, room); /* events that were committed while this was read were dropped */
	}
	if (last_seq > room->last_seq)
		hold(hub, room, last_seq, NULL);
	drain_held(hub, room);
	hub_generation_logged(hub, room);
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}

/* ---- reading the gap ---- */

struct fill { struct hub *hub; int64_t room_id; struct pl_task *task; };

static void fill_on_log(void *arg, const struct room_log *log, const struct pl_err *err)
{
	struct fill *f = arg;
	struct hub_room *room = hub_room_find(f->hub, f->room_id);
	struct pl_task *task = f->task;

	if (room == NULL)
		goto out;
	room->filling = false;
	if (err != NULL) {
		room->gap_since_ns = pl_now_ns(); /* the timer tries again, when the database may be back */
		hub_log_arm(f->hub, 500 * PL_NS_PER_MS);
		goto out;
	}
	room->busy++;
	if (log->epoch != 0 && log->epoch != room->epoch)
		hub_log_known(f->hub, room, log->last_seq, log->epoch);
	for (int i = 0; i < log->count; i++) {
		struct hub_event *event = hub_event_from_log(&log->rows[i]);

		arrived(f->hub, room, event);
		hub_event_release(&event);
	}
	drain_held(f->hub, room);
	if (log->more)
		start_fill(f->hub, room);
	room->busy--;
	hub_room_drop_if_empty(f->hub, room);
out:
	pl_task_release(&task);
}

static void start_fill(struct hub *hub, struct hub_room *room)
{
	struct pl_task *task;
	struct fill *f;

	if (room->filling || room->last_seq < 0)
		return;
	room->filling = true;
	shm_count(hub->svc->shm, SHM_M_gap_fills, 1);
	task = pl_task_new(pl_now_ns() + READ_TIME_NS);
	f = pl_alloc(task->pool, sizeof(*f));
	*f = (struct fill){ .hub = hub, .room_id = room->id, .task = task };
	repo_room_log(hub->svc->db, task, room->id, room->last_seq, FILL_LIMIT, FILL_BYTES, fill_on_log, f);
}

static void look_at_gap(struct hub *hub, struct hub_room *room)
{
	hub_behind_next(hub, room);
	if (room->gap_since_ns == 0 || room->last_seq < 0)
		return;
	if (pl_now_ns() - room->gap_since_ns >= GAP_WAIT_NS)
		start_fill(hub, room);
	else
		hub_log_arm(hub, GAP_WAIT_NS);
}

void hub_log_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct hub *hub = arg;

	hub->gap_armed = false;
	hub_room_each(hub, look_at_gap);
}

/* ---- comparing positions ---- */

/* compared_id: the room of compare(), or 0 */
struct heads { struct hub *hub; struct pl_task *task; int64_t compared_id; const int64_t *ids; int count; };

/* A room without a head was deleted. */
static void end_deleted(struct hub *hub, const struct heads *asked, const struct room_head_list *list)
{
	for (int i = 0; list->count < asked->count && i < asked->count; i++) {
		int at = 0;

		while (at < list->count && list->rows[at].room_id != asked->ids[i])
			at++;
		if (at == list->count)
			hub_room_end(hub, asked->ids[i]);
	}
}

static void heads_on_list(void *arg, const struct room_head_list *list, const struct pl_err *err)
{
	struct heads *h = arg;
	struct pl_task *task = h->task;
	struct hub_room *compared = h->compared_id != 0 ? hub_room_find(h->hub, h->compared_id) : NULL;

	if (compared != NULL)
		compared->comparing = false;
	for (int i = 0; err == NULL && i < list->count; i++) {
		const struct room_head *head = &list->rows[i];
		struct hub_room *room = hub_room_find(h->hub, head->room_id);

		if (room == NULL || room->last_seq < 0)
			continue;
		if (head->epoch != room->epoch)
			hub_log_known(h->hub, room, head->last_seq, head->epoch);
		else if (head->last_seq > room->last_seq)
			hub_log_hint(h->hub, room->id, head->last_seq);
	}
	if (err == NULL)
		end_deleted(h->hub, h, list);
	pl_task_release(&task);
}

static void ask_heads(struct hub *hub, const int64_t *ids, int count, int64_t compared_id)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + READ_TIME_NS);
	struct heads *h = pl_alloc(task->pool, sizeof(*h));

	*h = (struct heads){ .hub = hub, .task = task, .compared_id = compared_id, .count = count,
		.ids = memcpy(pl_alloc(task->pool, (size_t)count * sizeof(*ids)), ids, (size_t)count * sizeof(*ids)) };
	repo_room_heads(hub->svc->db, task, ids, count, heads_on_list, h);
}

/*
 * An event that is late: after a filled gap, or the first one after a restore. One room checks at most once in
 * COMPARE_EVERY_NS.
 */
static void compare(struct hub *hub, struct hub_room *room)
{
	int64_t now_ns = pl_now_ns();

	room->compare_again = room->comparing || now_ns - room->compared_ns < COMPARE_EVERY_NS;
	if (room->compare_again)
		return;
	room->comparing = true;
	room->compared_ns = now_ns;
	ask_heads(hub, &room->id, 1, room->id);
}

void hub_log_tick(struct hub *hub, struct hub_room *room)
{
	if (room->compare_again)
		compare(hub, room);
}

void hub_log_check_all(struct hub *hub)
{
	int64_t ids[HEADS_LIMIT];
	int count = 0;

	for (uint32_t i = 0; i < hub->bucket_count; i++)
		for (struct hub_room *r = hub->buckets[i]; r != NULL; r = r->hash_next) {
			if (r->last_seq < 0)
				continue;
			ids[count++] = r->id;
			if (count == HEADS_LIMIT) {
				ask_heads(hub, ids, count, 0);
				count = 0;
			}
		}
	if (count > 0)
		ask_heads(hub, ids, count, 0);
}

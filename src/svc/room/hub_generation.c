/* SPDX-License-Identifier: ISC */
/*
 * Running answers for their viewers. The owner writes the text into shared memory. An event contains only the current
 * length, and every other worker reads what its viewers lack. So no text is lost if a ring loses an event. Viewers on
 * the owner's worker get the text directly.
 */
#include "clock.h"
#include "db/repo/repo_generation.h"
#include "svc/room/hub_rooms.h"

/* In the ring: this, then the name of the role and the text of an error. */
struct wire { int64_t room_id; struct hub_generation gen; size_t name_len; };

void hub_generation_room_fini(struct hub_room *room)
{
	for (struct hub_running *r = room->running, *next; r != NULL; r = next) {
		next = r->next;
		hub_event_release(&r->end);
		pl_free(r);
	}
}

static struct hub_running *find(const struct hub_room *room, const char *id)
{
	struct hub_running *r = room->running;

	while (r != NULL && strcmp(r->id, id) != 0)
		r = r->next;
	return r;
}

static struct hub_running *need(struct hub_room *room, const struct hub_generation *gen)
{
	struct hub_running *r = find(room, gen->id);

	if (r != NULL)
		return r;
	r = pl_new(sizeof(*r));
	memcpy(r->id, gen->id, sizeof(r->id));
	r->gen = *gen;
	r->gen.role_name = r->gen.text = r->gen.detail = PL_STR_NONE;
	r->next = room->running;
	room->running = r;
	return r;
}

static void forget(struct hub_room *room, const char *id)
{
	for (struct hub_running **at = &room->running; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->id, id) == 0) {
			struct hub_running *r = *at;

			*at = r->next;
			hub_event_release(&r->end);
			pl_free(r);
			return;
		}
}

static struct hub_event *event_of(const struct hub_room *room, const struct hub_generation *gen, int state,
    int64_t offset, struct pl_str text)
{
	struct hub_event *event = hub_event_new(HUB_GENERATION, room->id);

	event->gen = *gen;
	event->gen.state = state;
	event->gen.offset = offset;
	event->gen.text = pl_str_dup(event->pool, text);
	event->gen.role_name = pl_str_dup(event->pool, gen->role_name);
	event->gen.detail = pl_str_dup(event->pool, gen->detail);
	return event;
}

static void generation_deliver(struct hub *hub, struct hub_room *room, struct hub_event *event)
{
	hub_room_deliver(hub, room, event);
	hub_event_release(&event);
}

static void deliver_text(struct hub *hub, struct hub_room *room, struct hub_running *running,
    const struct hub_generation *gen, struct pl_str text)
{
	while (text.len > 0) {
		size_t bytes = pl_utf8_cut(text.ptr, text.len, HUB_DELTA_MAX);
		int64_t offset = running->sent;

		running->sent += (int64_t)bytes;
		generation_deliver(hub, room, event_of(room, gen, HUB_GEN_DELTA, offset, pl_strn(text.ptr, bytes)));
		text = pl_strn(text.ptr + bytes, text.len - bytes);
	}
}

/* Sends the text in shared memory that was not sent yet. */
static void catch_up(struct hub *hub, struct hub_room *room, struct hub_running *running,
    const struct hub_generation *gen)
{
	struct shm_gen_info info;
	int index = shm_gen_find(hub->svc->shm, pl_str(gen->id), &info), n = 0;

	do {
		if (index >= 0)
			n = shm_gen_text(hub->svc->shm, index, gen->id, (uint32_t)running->sent, hub->gen_text,
			    HUB_DELTA_MAX);
		if (n > 0)
			deliver_text(hub, room, running, gen, pl_strn(hub->gen_text, (size_t)n));
	} while (n > 0);
}

/* This worker is the owner: gen->text are the last bytes of gen->offset. false: viewers lack some bytes before them. */
static bool told_here(struct hub *hub, struct hub_room *room, struct hub_running *running,
    const struct hub_generation *gen)
{
	int64_t rest = gen->offset - running->sent;

	if (rest <= 0)
		return true;
	if (rest > (int64_t)gen->text.len)
		return false;
	deliver_text(hub, room, running, gen, pl_strn(gen->text.ptr + gen->text.len - (size_t)rest, (size_t)rest));
	return true;
}

static void arrived(struct hub *hub, struct hub_room *room, const struct hub_generation *gen, bool here)
{
	struct hub_running *running = need(room, gen);

	if (gen->state > HUB_GEN_STARTED && !(here && told_here(hub, room, running, gen)))
		catch_up(hub, room, running, gen);
	if (gen->state == HUB_GEN_DELTA)
		return;
	if (gen->state > HUB_GEN_DELTA && room->last_seq >= 0 && gen->answer_seq > room->last_seq) {
		/* its message was too long for the ring and is being read, or a ring lost it */
		hub_event_release(&running->end);
		running->end = event_of(room, gen, (int)gen->state, running->sent, PL_STR_NONE);
		return;
	}
	generation_deliver(hub, room, event_of(room, gen, (int)gen->state, running->sent, PL_STR_NONE));
	if (gen->state > HUB_GEN_DELTA)
		forget(room, gen->id);
}

void hub_generation_logged(struct hub *hub, struct hub_room *room)
{
	struct hub_running *r = room->running;

	while (r != NULL) {
		if (r->end != NULL && r->end->gen.answer_seq <= room->last_seq) {
			struct hub_event *end = r->end;

			r->end = NULL;
			forget(room, r->id);
			generation_deliver(hub, room, end);
			r = room->running;
		} else {
			r = r->next;
		}
	}
}

void hub_generation_on_ring(void *arg, int from_slot, struct pl_str bytes)
{
	struct hub *hub = arg;
	struct wire wire;
	struct hub_room *room;

	memcpy(&wire, bytes.ptr, sizeof(wire));
	room = hub_room_find(hub, wire.room_id);
	if (room == NULL)
		return;
	wire.gen.text = PL_STR_NONE;
	wire.gen.role_name = pl_strn(bytes.ptr + sizeof(wire), wire.name_len);
	wire.gen.detail = pl_strn(bytes.ptr + sizeof(wire) + wire.name_len, bytes.len - sizeof(wire) - wire.name_len);
	room->busy++;
	arrived(hub, room, &wire.gen, false);
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}

void hub_generation(struct hub *hub, int64_t room_id, const struct hub_generation *gen)
{
	struct wire wire = { .room_id = room_id, .gen = *gen, .name_len = gen->role_name.len };
	struct hub_room *room = hub_room_find(hub, room_id);
	struct pl_buf tail = PL_BUF(NULL);

	wire.gen.text = wire.gen.detail = PL_STR_NONE;
	if (gen->detail.len > 0) {
		pl_buf_addstr(&tail, gen->role_name);
		pl_buf_addstr(&tail, gen->detail);
	}
	bus_post_to(hub->svc, hub_topic_key(room_id), RING_GENERATION, pl_strn((const char *)&wire, sizeof(wire)),
	    gen->detail.len > 0 ? pl_buf_str(&tail) : gen->role_name);
	pl_buf_fini(&tail);
	if (room == NULL)
		return;
	room->busy++;
	arrived(hub, room, gen, true);
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}

void hub_generation_told_free(struct hub_sub *sub)
{
	for (struct hub_told *told = sub->told, *next; told != NULL; told = next) {
		next = told->next;
		pl_free(told);
	}
	sub->told = NULL;
}

static struct hub_told *told_need(struct hub_sub *sub, const char *id)
{
	struct hub_told *told = sub->told;

	while (told != NULL && strcmp(told->id, id) != 0)
		told = told->next;
	if (told != NULL)
		return told;
	told = pl_new(sizeof(*told));
	memcpy(told->id, id, sizeof(told->id));
	told->next = sub->told;
	sub->told = told;
	return told;
}

static bool welcome_event(struct hub_sub *sub, const struct hub_generation *gen, int state, int64_t offset,
    struct pl_str text)
{
	struct hub_event *event = event_of(sub->room, gen, state, offset, text);
	bool taken = sub->ops->event(sub, event);

	hub_event_release(&event);
	return taken;
}

/*
 * Sends the text so far, as much as the other viewers on this worker have. Continues where the listener last refused.
 */
static bool welcome(struct hub *hub, struct hub_sub *sub, int index, const struct hub_generation *gen)
{
	struct hub_running *running = find(sub->room, gen->id);
	struct hub_told *told = told_need(sub, gen->id);

	if (running->sent == 0)
		return welcome_event(sub, gen, HUB_GEN_STARTED, 0, PL_STR_NONE);
	while (told->bytes < running->sent) {
		int64_t left = running->sent - told->bytes;
		int n = shm_gen_text(hub->svc->shm, index, gen->id, (uint32_t)told->bytes, hub->gen_text,
		    left < HUB_DELTA_MAX ? (uint32_t)left : HUB_DELTA_MAX);

		if (n <= 0)		/* the answer is over, and its place was reused: the message follows */
			return told->bytes > 0 || welcome_event(sub, gen, HUB_GEN_STARTED, 0, PL_STR_NONE);
		if (!welcome_event(sub, gen, HUB_GEN_DELTA, told->bytes, pl_strn(hub->gen_text, (size_t)n)))
			return false;
		told->bytes += n;
	}
	return true;
}

/* A new viewer first receives the texts so far. */
bool hub_generation_welcome(struct hub *hub, struct hub_sub *sub)
{
	struct hub_room *room = sub->room;
	struct shm_gen_info info;
	bool taken = true;

	for (int i = shm_gen_next(hub->svc->shm, room->id, 0, &info); i >= 0 && taken;
	    i = shm_gen_next(hub->svc->shm, room->id, i + 1, &info)) {
		struct hub_generation gen = { .role_id = info.role_id, .asker_id = info.asker_id,
			.reply_to = info.reply_to_seq };

		if (info.state != SHM_GEN_RUNNING)
			continue; /* queued: it may never start; all are informed when it does */
		memcpy(gen.id, info.id, sizeof(gen.id));
		if (find(room, info.id) == NULL)
			need(room, &gen)->sent = info.length;
		taken = welcome(hub, sub, i, &gen);
	}
	if (taken)
		hub_generation_told_free(sub);
	return taken;
}

/* ---- after lost ring events ---- */

struct ended { struct hub *hub; struct pl_task *task; int64_t room_id; struct hub_generation gen; };

static int told_state(int state)
{
	switch (state) {
	case GEN_DONE:
		return HUB_GEN_DONE;
	case GEN_CANCELLED:
		return HUB_GEN_CANCELLED;
	case GEN_FAILED:
		return HUB_GEN_FAILED;
	default:
		return HUB_GEN_INTERRUPTED;
	}
}

static enum pl_code code_of(struct pl_str word)
{
	for (int i = PL_E_OK + 1; i < PL_E_COUNT; i++)
		if (pl_str_is(word, pl_err_info((enum pl_code)i)->code))
			return (enum pl_code)i;
	return PL_E_OK;
}

static void ended_on_row(void *arg, const struct generation *row, const struct pl_err *err)
{
	struct ended *e = arg;
	struct hub_room *room = hub_room_find(e->hub, e->room_id);
	struct pl_task *task = e->task;

	/* still listed: its own event has not come */
	if (err == NULL && row->ended_us > 0 && room != NULL && find(room, e->gen.id) != NULL) {
		e->gen.state = told_state(row->state);
		e->gen.answer_seq = row->answer_seq;
		e->gen.error = row->error_code.ptr != NULL ? code_of(row->error_code) : PL_E_OK;
		e->gen.detail = row->error_detail;
		room->busy++;
		arrived(e->hub, room, &e->gen, false);
		room->busy--;
		hub_room_drop_if_empty(e->hub, room);
	}
	pl_task_release(&task);
}

static void check_room(struct hub *hub, struct hub_room *room)
{
	for (struct hub_running *r = room->running; r != NULL; r = r->next) {
		struct shm_gen_info info;
		struct pl_task *task;
		struct ended *e;

		if (shm_gen_find(hub->svc->shm, pl_str(r->id), &info) >= 0 && info.state != SHM_GEN_ENDED)
			continue;
		task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
		e = pl_alloc(task->pool, sizeof(*e));
		*e = (struct ended){ .hub = hub, .task = task, .room_id = room->id, .gen = r->gen };
		repo_generation_get(hub->svc->db, task, pl_str(r->id), 0, ended_on_row, e);
	}
}

void hub_generation_check_all(struct hub *hub)
{
	hub_room_each(hub, check_room);
}

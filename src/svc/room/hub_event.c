/* SPDX-License-Identifier: ISC */
/* Events inside the hub, and their form in the rings. */
#include "svc/room/hub_rooms.h"

struct hub_event *hub_event_new(enum hub_kind kind, int64_t room_id)
{
	struct pl_pool *pool = pl_pool_new(1024);
	struct hub_event *e = pl_alloc(pool, sizeof(*e));

	e->holds = 1;
	e->kind = kind;
	e->room_id = room_id;
	e->pool = pool;
	return e;
}

struct hub_event *hub_event_hold(struct hub_event *event)
{
	event->holds++;
	return event;
}

void hub_event_release(struct hub_event **event)
{
	struct hub_event *e = *event;
	struct pl_pool *pool;

	*event = NULL;
	if (e == NULL || --e->holds > 0)
		return;
	for (int i = 0; i < HUB_DIALECTS; i++)
		if (e->rendered[i] != NULL)
			e->rendered_free(&e->rendered[i]);
	pool = e->pool;
	pl_pool_free(&pool);
}

struct hub_event *hub_event_from_log(const struct room_event *row)
{
	int64_t room_id = row->is_message ? row->message.room_id : row->change.room_id;
	struct hub_event *e = hub_event_new(HUB_LOG, room_id);

	e->log = *row;
	if (row->is_message) {
		struct message *m = &e->log.message;

		m->author_name = pl_str_dup(e->pool, m->author_name);
		m->author_display = pl_str_dup(e->pool, m->author_display);
		m->client_id = pl_str_dup(e->pool, m->client_id);
		m->content = pl_str_dup(e->pool, m->content);
		m->generation_id = pl_str_dup(e->pool, m->generation_id);
		m->meta = pl_str_dup(e->pool, m->meta);
		e->seq = m->seq;
	} else {
		struct room_change *c = &e->log.change;

		c->kind = pl_str_dup(e->pool, c->kind);
		c->actor_name = pl_str_dup(e->pool, c->actor_name);
		c->body = pl_str_dup(e->pool, c->body);
		e->seq = c->seq;
	}
	return e;
}

/*
 * In the ring: the struct, then its texts one after the other. Pointers in the struct only say whether a text exists.
 */
#define WIRE_TEXTS 6
struct wire { struct room_event row; uint32_t absent, length[WIRE_TEXTS]; };

static void wire_texts(struct room_event *row, struct pl_str *texts[WIRE_TEXTS])
{
	struct message *m = &row->message;
	struct room_change *c = &row->change;

	texts[0] = row->is_message ? &m->author_name : &c->kind;
	texts[1] = row->is_message ? &m->client_id : &c->actor_name;
	texts[2] = row->is_message ? &m->content : &c->body;
	texts[3] = row->is_message ? &m->generation_id : NULL;
	texts[4] = row->is_message ? &m->meta : NULL;
	texts[5] = row->is_message ? &m->author_display : NULL;
}

bool hub_event_encode(const struct room_event *row, struct pl_buf *out)
{
	struct wire wire = { .row = *row };
	struct pl_str *texts[WIRE_TEXTS];
	size_t total = sizeof(wire);

	wire_texts(&wire.row, texts);
	for (int i = 0; i < WIRE_TEXTS; i++) {
		if (texts[i] == NULL || texts[i]->ptr == NULL)
			wire.absent |= 1u << i;
		else
			wire.length[i] = (uint32_t)texts[i]->len;
		total += wire.length[i];
	}
	if (total > SHM_EVENT_MAX - 64)
		return false;
	pl_buf_reset(out);
	pl_buf_add(out, &wire, sizeof(wire));
	for (int i = 0; i < WIRE_TEXTS; i++)
		if (wire.length[i] > 0)
			pl_buf_add(out, texts[i]->ptr, texts[i]->len);
	return true;
}

struct hub_event *hub_event_decode(struct pl_str bytes)
{
	struct pl_str *texts[WIRE_TEXTS];
	struct wire wire;
	const char *at = bytes.ptr + sizeof(wire);

	PL_BUG(bytes.len < sizeof(wire));
	memcpy(&wire, bytes.ptr, sizeof(wire));
	wire_texts(&wire.row, texts);
	for (int i = 0; i < WIRE_TEXTS; i++) {
		PL_BUG(wire.length[i] > (size_t)(bytes.ptr + bytes.len - at));
		if (texts[i] == NULL)
			continue;
		*texts[i] = (wire.absent >> i & 1) ? PL_STR_NONE : pl_strn(at, wire.length[i]);
		at += wire.length[i];
	}
	return hub_event_from_log(&wire.row);
}

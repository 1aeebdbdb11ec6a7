/* SPDX-License-Identifier: ISC */
/*
 * notify_message -> repo_notify_message -> a frame per notification -> ring -> svc->on_user of each worker.
 */
#include "svc/notify/notify_int.h"

#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/bus/bus.h"
#include "svc/notify/mention.h"
#include "svc/notify/unread.h"

#define PLACES_MAX 50		/* of mentions in one message */
#define NOTIFY_TIME_NS (10 * PL_NS_PER_S)

/* ---- frames ---- */

static void hand_on(struct svc *svc, int64_t user_id, struct pl_str frame)
{
	if (svc->on_user != NULL)	/* the clerk has no sockets */
		svc->on_user(user_id, "", frame);
}

void notify_user(struct svc *svc, int64_t user_id, struct pl_str frame)
{
	bus_post(svc, RING_NOTIFICATION, pl_strn((const char *)&user_id, sizeof(user_id)), frame);
	bus_kick(svc);
	hand_on(svc, user_id, frame);
}

static struct pl_jw frame_begin(struct pl_buf *buf, const char *event, int64_t unread)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", "notification");
	pl_jw_kcstr(&w, "topic", "user:me");
	pl_jw_kcstr(&w, "event", event);
	pl_jw_ki64(&w, "unread", unread);
	return w;
}

static void write_text(struct pl_jw *w, const char *key, struct pl_str text)
{
	if (text.ptr != NULL)
		pl_jw_kstr(w, key, text);
}

void notify_tell(struct svc *svc, const struct notification_list *list)
{
	for (int i = 0; i < list->count; i++) {
		const struct notification *n = &list->rows[i];
		struct pl_pool *pool = pl_pool_new(0);
		struct pl_buf buf = PL_BUF(pool);
		struct pl_jw w = frame_begin(&buf, "created", n->unread);

		pl_jw_key(&w, "notification");
		pl_jw_object(&w);
		pl_jw_ki64(&w, "id", n->id);
		pl_jw_kstr(&w, "kind", n->kind);
		pl_jw_ki64(&w, "actor_id", n->actor_id);
		write_text(&w, "actor", n->actor);
		write_text(&w, "actor_name", n->actor_name);
		if (n->room_id != 0)
			pl_jw_ki64(&w, "room_id", n->room_id);
		write_text(&w, "room", n->room);
		if (n->seq != 0)
			pl_jw_ki64(&w, "seq", n->seq);
		write_text(&w, "request_id", n->request_id);
		write_text(&w, "text", n->text);
		pl_jw_ktime(&w, "created_at", n->created_us);
		pl_jw_end_object(&w);
		pl_jw_end_object(&w);
		notify_user(svc, n->user_id, pl_buf_str(&buf));
		if (n->room_id != 0 && pl_str_is(n->kind, "mention"))
			unread_mentioned(svc, n->user_id, n->room_id);
		pl_pool_free(&pool);
	}
}

static void notify_on_ring(void *svc, int from_slot, struct pl_str data)
{
	int64_t user_id;

	PL_UNUSED(from_slot);
	memcpy(&user_id, data.ptr, sizeof(user_id));
	hand_on(svc, user_id, pl_strn(data.ptr + sizeof(user_id), data.len - sizeof(user_id)));
}

void notify_listen(struct svc *svc)
{
	bus_register(svc->bus, RING_NOTIFICATION, notify_on_ring, svc);
}

/* ---- messages ---- */

struct telling { struct svc *svc; struct pl_task *task; };

static void on_notified(void *arg, const struct notification_list *list, const struct pl_err *err)
{
	struct telling *t = arg;
	struct pl_task *task = t->task;

	if (err == NULL)
		notify_tell(t->svc, list);
	pl_task_release(&task);
}

void notify_message(struct svc *svc, int64_t room_id, int64_t seq, struct pl_str content)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + NOTIFY_TIME_NS);
	struct telling *t = pl_alloc(task->pool, sizeof(*t));
	struct pl_str *places = pl_alloc(task->pool, PLACES_MAX * sizeof(*places));
	int count = mention_places(task->pool, content, PLACES_MAX, places);

	*t = (struct telling){ svc, task };
	repo_notify_message(svc->db, task, room_id, seq, places, count, svc_config(svc)->s.notifications_per_user,
	    on_notified, t);
}

/* ---- reading ---- */

struct reading { struct svc *svc; int64_t user_id; db_count_fn *done; void *arg; };

static void on_read(void *arg, const int64_t *unread, const struct pl_err *err)
{
	struct reading *r = arg;
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w;

	if (err == NULL) {
		w = frame_begin(&buf, "read", *unread);
		pl_jw_end_object(&w);
		notify_user(r->svc, r->user_id, pl_buf_str(&buf));
	}
	pl_pool_free(&pool);
	r->done(r->arg, unread, err);
}

void notify_read(struct svc *svc, struct pl_task *task, int64_t id, int64_t up_to, db_count_fn *done, void *arg)
{
	struct reading *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct reading){ svc, task->who.user_id, done, arg };
	repo_notification_read(svc->db, task, task->who.user_id, id, up_to, on_read, r);
}

/* SPDX-License-Identifier: ISC */
/*
 * What unread asks the database: the rooms of users who begin to listen, and numbers that are not known. One query of
 * each kind at a time, for many users.
 */
#include "clock.h"
#include "db/repo/repo_room.h"
#include "svc/notify/unread_int.h"

#define ASK_TIME_NS (10 * PL_NS_PER_S)
#define LOAD_MAX 500		/* users of one query */
#define LOAD_MS 10
#define HEADS_MAX 1000

struct asking { struct unread *unread; struct pl_task *task; int64_t *ids; int count; };

static struct asking *ask(struct unread *unread, int most)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + ASK_TIME_NS);
	struct asking *a = pl_alloc(task->pool, sizeof(*a));

	*a = (struct asking){ .unread = unread, .task = task };
	a->ids = pl_alloc(task->pool, (size_t)most * sizeof(*a->ids));
	return a;
}

static void ask_end(struct asking *a)
{
	struct pl_task *task = a->task;

	pl_task_release(&task);
}

/* ---- positions of rooms that nobody here was in: events that were committed before they were known here ---- */

static void on_heads(void *arg, const struct room_head_list *list, const struct pl_err *err)
{
	struct asking *a = arg;

	for (int i = 0; err == NULL && i < list->count; i++) {
		struct unread_room *room = (void *)unread_find(&a->unread->rooms, list->rows[i].room_id);

		if (room != NULL && list->rows[i].last_seq > room->last_seq)
			unread_room_lost(a->unread, room, list->rows[i].last_seq);
	}
	ask_end(a);
}

static struct asking *fresh_room(struct unread *unread, struct asking *heads, int64_t room_id)
{
	if (heads == NULL)
		heads = ask(unread, HEADS_MAX);
	heads->ids[heads->count++] = room_id;
	if (heads->count < HEADS_MAX)
		return heads;
	repo_room_heads(unread->svc->db, heads->task, heads->ids, heads->count, on_heads, heads);
	return NULL;
}

/* ---- rooms of users ---- */

static bool load_row(struct unread *unread, const struct read_mark *row)
{
	struct unread_user *user = (void *)unread_find(&unread->users, row->user_id);
	struct unread_entry *entry;
	bool fresh;

	if (user == NULL)	/* stopped listening meanwhile */
		return false;
	entry = unread_entry_need(unread, user, row->room_id, row->last_seq, &fresh);
	if (row->last_seq > entry->room->last_seq)
		unread_room_lost(unread, entry->room, row->last_seq);
	if (row->last_read > entry->last_read) {
		entry->last_read = row->last_read;
		entry->known = row->last_read >= entry->room->last_seq;
		entry->number = entry->mentions = 0;
		entry->counted = entry->room->last_seq;
	}
	return fresh;
}

static void on_loaded(void *arg, const struct read_mark_list *list, const struct pl_err *err)
{
	struct asking *a = arg, *heads = NULL;
	struct unread *unread = a->unread;

	unread->loading = false;
	for (int i = 0; err != NULL && i < a->count; i++) {
		struct unread_user *user = (void *)unread_find(&unread->users, a->ids[i]);

		if (user != NULL)
			unread_load_later(unread, user);
	}
	for (int i = 0; err == NULL && i < list->count; i++)
		if (load_row(unread, &list->rows[i]))
			heads = fresh_room(unread, heads, list->rows[i].room_id);
	if (heads != NULL)
		repo_room_heads(unread->svc->db, heads->task, heads->ids, heads->count, on_heads, heads);
	if (!TAILQ_EMPTY(&unread->loads))
		unread_arm(unread, err != NULL ? 1000 : LOAD_MS);
	ask_end(a);
}

void unread_load_later(struct unread *unread, struct unread_user *user)
{
	if (user->wanted)
		return;
	user->wanted = true;
	TAILQ_INSERT_TAIL(&unread->loads, user, in_loads);
	if (!unread->loading)
		unread_arm(unread, LOAD_MS);
}

void unread_load(struct unread *unread)
{
	struct unread_user *user;
	struct asking *a;

	if (unread->loading || TAILQ_EMPTY(&unread->loads))
		return;
	unread->loading = true;
	a = ask(unread, LOAD_MAX);
	while (a->count < LOAD_MAX && (user = TAILQ_FIRST(&unread->loads)) != NULL) {
		TAILQ_REMOVE(&unread->loads, user, in_loads);
		user->wanted = false;
		a->ids[a->count++] = user->node.id;
	}
	repo_read_marks(unread->svc->db, a->task, a->ids, a->count, on_loaded, a);
}

/* ---- numbers ---- */

static void count_row(struct unread *unread, const struct unread_count *row)
{
	struct unread_entry *entry = unread_entry_find(unread, row->user_id, row->room_id);

	if (entry == NULL || entry->last_read != row->last_read)	/* the marker moved: it is counted again */
		return;
	entry->number = (uint8_t)row->unread;
	entry->mentions = (uint8_t)row->mentions;
	entry->counted = row->last_seq;
	unread_tell(unread, entry);
	/* messages that came during the query may not be among them */
	entry->known = entry->room->last_seq <= row->last_seq || entry->number == UNREAD_MAX;
	if (!entry->known)
		unread_dirty(unread, entry);
}

static void on_counted(void *arg, const struct unread_count_list *list, const struct pl_err *err)
{
	struct asking *a = arg;

	a->unread->counting = false;
	for (int i = 0; err == NULL && i < list->count; i++)
		count_row(a->unread, &list->rows[i]);
	if (!TAILQ_EMPTY(&a->unread->dirty))
		unread_arm(a->unread, UNREAD_WAKE_MS);
	ask_end(a);
}

void unread_count(struct unread *unread, const struct read_mark *marks, int count)
{
	struct asking *a = ask(unread, 1);

	unread->counting = true;
	repo_unread_count(unread->svc->db, a->task, marks, count, on_counted, a);
}

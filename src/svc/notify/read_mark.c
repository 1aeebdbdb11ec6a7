/* SPDX-License-Identifier: ISC */
/*
 * Read markers that wait to be written.
 */
#include "svc/notify/read_mark.h"

#include <event2/event.h>

#include "clock.h"
#include "db/repo/repo_mark.h"
#include "svc/notify/unread.h"

#define WRITE_MS 2000
#define SOON_MS 20
#define BATCH 2000		/* of one statement */
#define MARKS_MAX 200000	/* while the database is down, further ones are dropped */
#define WRITE_TIME_NS (10 * PL_NS_PER_S)

struct mark { struct mark *next; struct read_mark at; };
struct read_marks {
	struct svc *svc;
	struct mark **buckets;
	uint32_t size, count;
	struct event *timer;
	int64_t due_ns;			/* when the timer runs; 0: it is not set */
	bool writing;
};
struct writing { struct read_marks *marks; struct pl_task *task; struct read_mark *rows; int count; };

static void arm(struct read_marks *marks, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	int64_t due_ns = pl_now_ns() + ms * PL_NS_PER_MS;

	if ((marks->due_ns == 0 || due_ns < marks->due_ns) && evtimer_add(marks->timer, &tv) == 0)
		marks->due_ns = due_ns;
}

/* ---- what waits ---- */

static struct mark **place(const struct read_marks *marks, int64_t user_id, int64_t room_id)
{
	uint64_t hash = ((uint64_t)user_id * 0x9e3779b97f4a7c15ULL ^ (uint64_t)room_id) * 0xff51afd7ed558ccdULL;
	struct mark **at = &marks->buckets[(uint32_t)(hash >> 40) & (marks->size - 1)];

	while (*at != NULL && ((*at)->at.user_id != user_id || (*at)->at.room_id != room_id))
		at = &(*at)->next;
	return at;
}

static void grow(struct read_marks *marks)
{
	struct mark **old = marks->buckets;
	uint32_t old_size = marks->size;

	marks->size *= 2;
	marks->buckets = pl_new(marks->size * sizeof(struct mark *));
	for (uint32_t i = 0; i < old_size; i++)
		for (struct mark *m = old[i], *next; m != NULL; m = next) {
			struct mark **at = place(marks, m->at.user_id, m->at.room_id);

			next = m->next;
			m->next = NULL;
			*at = m;
		}
	pl_free(old);
}

static void put(struct read_marks *marks, const struct read_mark *in)
{
	struct mark **at = place(marks, in->user_id, in->room_id);

	if (*at != NULL) {
		if (in->last_read > (*at)->at.last_read)
			(*at)->at.last_read = in->last_read;
		return;
	}
	if (marks->count >= MARKS_MAX)
		return;
	if (marks->count >= marks->size) {
		grow(marks);
		at = place(marks, in->user_id, in->room_id);
	}
	*at = pl_new(sizeof(**at));
	(*at)->at = *in;
	marks->count++;
}

static void drop(struct read_marks *marks, struct mark **at)
{
	struct mark *m = *at;

	*at = m->next;
	marks->count--;
	pl_free(m);
}

/* ---- writing ---- */

static void on_written(void *arg, const int64_t *moved, const struct pl_err *err)
{
	struct writing *w = arg;
	struct read_marks *marks = w->marks;
	struct pl_task *task = w->task;

	PL_UNUSED(moved);
	marks->writing = false;
	for (int i = 0; err != NULL && i < w->count; i++)
		put(marks, &w->rows[i]);
	if (marks->count > 0 && marks->svc->db != NULL)
		arm(marks, err != NULL || marks->count < BATCH ? WRITE_MS : SOON_MS);
	pl_task_release(&task);
}

bool read_marks_flush(struct read_marks *marks)
{
	struct pl_task *task;
	struct writing *w;

	if (marks->count == 0 || marks->writing)
		return marks->count == 0 && !marks->writing;
	task = pl_task_new(pl_now_ns() + WRITE_TIME_NS);
	w = pl_alloc(task->pool, sizeof(*w));
	*w = (struct writing){ .marks = marks, .task = task };
	w->rows = pl_alloc(task->pool, BATCH * sizeof(*w->rows));
	for (uint32_t i = 0; i < marks->size && w->count < BATCH; i++)
		while (marks->buckets[i] != NULL && w->count < BATCH) {
			w->rows[w->count++] = marks->buckets[i]->at;
			drop(marks, &marks->buckets[i]);
		}
	marks->writing = true;
	repo_read_marks_write(marks->svc->db, task, w->rows, w->count, on_written, w);
	return false;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct read_marks *marks = arg;

	marks->due_ns = 0;
	(void)read_marks_flush(marks);
}

/* ---- for others ---- */

void read_mark(struct svc *svc, int64_t user_id, int64_t room_id, int64_t seq)
{
	if (svc->marks == NULL)
		return;
	put(svc->marks, &(struct read_mark){ .user_id = user_id, .room_id = room_id, .last_read = seq });
	if (!svc->marks->writing)
		arm(svc->marks, WRITE_MS);
	unread_moved(svc, user_id, room_id, seq, false);
}

void read_mark_forget(struct svc *svc, int64_t user_id, int64_t room_id)
{
	struct mark **at = svc->marks != NULL ? place(svc->marks, user_id, room_id) : NULL;

	if (at != NULL && *at != NULL)
		drop(svc->marks, at);
}

void read_mark_hurry(struct svc *svc, int64_t user_id, int64_t room_id)
{
	if (svc->marks != NULL && *place(svc->marks, user_id, room_id) != NULL)
		arm(svc->marks, SOON_MS);
}

/* ---- creation and end ---- */

struct read_marks *read_marks_new(struct svc *svc)
{
	struct read_marks *marks = pl_new(sizeof(*marks));

	marks->svc = svc;
	marks->size = 256;
	marks->buckets = pl_new(marks->size * sizeof(struct mark *));
	marks->timer = evtimer_new(svc->worker->base, on_timer, marks);
	PL_BUG(marks->timer == NULL);
	return marks;
}

void read_marks_free(struct read_marks **marks_at)
{
	struct read_marks *marks = *marks_at;

	*marks_at = NULL;
	if (marks == NULL)
		return;
	for (uint32_t i = 0; i < marks->size; i++)
		while (marks->buckets[i] != NULL)
			drop(marks, &marks->buckets[i]);
	event_free(marks->timer);
	pl_free(marks->buckets);
	pl_free(marks);
}

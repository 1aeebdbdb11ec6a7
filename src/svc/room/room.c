/* SPDX-License-Identifier: ISC */
/* For each change: repo_*() -> hub -> done. */
#include "svc/room/room.h"

#include "db/repo/repo_user.h"
#include "svc/notify/read_mark.h"
#include "svc/notify/unread.h"
#include "svc/room/hub.h"

struct room_changing {
	struct svc *svc;
	struct pl_task *task;
	int64_t room_id;
	repo_room_result_fn *done;
	void *arg;
};

static struct room_changing *room_changing(struct svc *svc, struct pl_task *task, int64_t room_id,
    repo_room_result_fn *done, void *arg)
{
	struct room_changing *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct room_changing){ .svc = svc, .task = task, .room_id = room_id, .done = done, .arg = arg };
	return c;
}

static bool room_is_admin(const struct pl_task *task)
{
	return task->who.access == ACCESS_ADMIN;
}

static void room_on_changed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct room_changing *c = arg;

	if (err == NULL)
		hub_publish_change(c->svc->hub, &result->change);
	c->done(c->arg, result, err);
}

void room_create(struct svc *svc, struct pl_task *task, const struct room_new *in, repo_room_result_fn *done, void *arg)
{
	repo_room_create(svc->db, task, task->who.user_id, in, room_on_changed, room_changing(svc, task, 0, done, arg));
}

void room_patch(struct svc *svc, struct pl_task *task, int64_t room_id, const struct room_patch *patch,
    repo_room_result_fn *done, void *arg)
{
	repo_room_patch(svc->db, task, room_id, task->who.user_id, room_is_admin(task), patch, room_on_changed,
	    room_changing(svc, task, room_id, done, arg));
}

struct room_deleting { struct svc *svc; int64_t room_id; db_done_fn *done; void *arg; };

static void room_on_deleted(void *arg, const struct room_deleted *result, const struct pl_err *err)
{
	static const bool good = true;
	struct room_deleting *d = arg;

	if (err == NULL)
		hub_publish_deleted(d->svc->hub, d->room_id, result->members, result->count);
	d->done(d->arg, err == NULL ? &good : NULL, err);
}

void room_delete(struct svc *svc, struct pl_task *task, int64_t room_id, db_done_fn *done, void *arg)
{
	struct room_deleting *d = pl_alloc(task->pool, sizeof(*d));

	*d = (struct room_deleting){ svc, room_id, done, arg };
	repo_room_delete(svc->db, task, room_id, task->who.user_id, room_is_admin(task), room_on_deleted, d);
}

void room_leave(struct svc *svc, struct pl_task *task, int64_t room_id, repo_room_result_fn *done, void *arg)
{
	repo_room_leave(svc->db, task, room_id, task->who.user_id, room_on_changed,
	    room_changing(svc, task, room_id, done, arg));
}

void room_member_add(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id,
    enum member_level level, repo_room_result_fn *done, void *arg)
{
	repo_member_add(svc->db, task, room_id, task->who.user_id, room_is_admin(task), other_id, (int)level,
	    room_on_changed, room_changing(svc, task, room_id, done, arg));
}

static void room_on_removed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct room_changing *c = arg;
	struct pl_err absent = { 0 };

	if (err == NULL && result->change.seq == 0) {
		pl_err_set(&absent, PL_E_NOT_FOUND, NULL);
		c->done(c->arg, NULL, &absent);
		return;
	}
	if (err == NULL)
		hub_publish_change(c->svc->hub, &result->change);
	c->done(c->arg, result, err);
}

void room_member_remove(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id,
    repo_room_result_fn *done, void *arg)
{
	repo_member_remove(svc->db, task, room_id, task->who.user_id, room_is_admin(task), other_id, room_on_removed,
	    room_changing(svc, task, room_id, done, arg));
}

/* Of several entries in the log, the last one is published here; then listeners read the earlier ones. */
void room_hand_over(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id, repo_room_result_fn *done,
    void *arg)
{
	repo_room_hand_over(svc->db, task, room_id, task->who.user_id, room_is_admin(task), other_id, room_on_changed,
	    room_changing(svc, task, room_id, done, arg));
}

void room_ban(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id, struct pl_str reason,
    repo_room_result_fn *done, void *arg)
{
	repo_room_ban(svc->db, task, room_id, task->who.user_id, room_is_admin(task), other_id, reason, room_on_changed,
	    room_changing(svc, task, room_id, done, arg));
}

void room_invite_accept(struct svc *svc, struct pl_task *task, const struct invite_rule *rule,
    repo_room_result_fn *done, void *arg)
{
	repo_invite_accept(
	    svc->db, task, task->who.user_id, rule, room_on_changed, room_changing(svc, task, 0, done, arg));
}

void room_joined_by_invite(struct svc *svc, const struct room_change *joined)
{
	if (joined->seq > 0)
		hub_publish_change(svc->hub, joined);
}

void room_role_attach(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t role_id, bool attach,
    repo_room_result_fn *done, void *arg)
{
	repo_room_role(svc->db, task, room_id, task->who.user_id, room_is_admin(task), role_id, attach,
	    room_on_changed, room_changing(svc, task, room_id, done, arg));
}

void room_role_take(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t role_id, repo_room_result_fn *done,
    void *arg)
{
	repo_room_take(svc->db, task, room_id, task->who.user_id, role_id, room_on_changed,
	    room_changing(svc, task, room_id, done, arg));
}

/* ---- read markers ---- */

struct room_reading {
	struct svc *svc;
	int64_t room_id, user_id, seq;
	bool back;
	repo_unread_fn *done;
	void *arg;
};

static void room_on_read(void *arg, const struct unread_count *count, const struct pl_err *err)
{
	const struct room_reading *r = arg;

	if (err == NULL) {
		unread_moved(r->svc, r->user_id, r->room_id, r->seq, r->back);
		if (!r->back)
			hub_read_marker(r->svc->hub, r->room_id, r->user_id, r->seq);
	}
	r->done(r->arg, count, err);
}

void room_read(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, bool back, repo_unread_fn *done,
    void *arg)
{
	struct room_reading *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct room_reading){ .svc = svc, .room_id = room_id, .user_id = task->who.user_id, .seq = seq,
		.back = back, .done = done, .arg = arg };
	repo_read_mark_move(svc->db, task, room_id, task->who.user_id, seq, back, room_on_read, r);
}

void room_read_live(struct svc *svc, int64_t room_id, int64_t user_id, int64_t seq)
{
	hub_read_marker(svc->hub, room_id, user_id, seq);
	read_mark(svc, user_id, room_id, seq);
}

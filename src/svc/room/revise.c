/* SPDX-License-Identifier: ISC */
/* repo_message_edit() and the like -> hub -> done. */
#include "svc/room/revise.h"

#include "svc/room/hub.h"

struct revising {
	struct svc *svc;
	repo_message_changed_fn *done;
	void *arg;
};

static void on_revised(void *arg, const struct message_changed *result, const struct pl_err *err)
{
	struct revising *r = arg;

	if (err == NULL && result->change.seq > 0)
		hub_publish_change(r->svc->hub, &result->change);
	r->done(r->arg, result, err);
}

static struct revising *revising(struct svc *svc, struct pl_task *task, repo_message_changed_fn *done, void *arg)
{
	struct revising *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct revising){ .svc = svc, .done = done, .arg = arg };
	return r;
}

bool content_fits(const struct config *config, struct pl_str content, struct pl_pool *pool, struct pl_err *err)
{
	long long max = config->s.max_content;
	const struct pl_field_err *fields;

	if ((long long)content.len <= max)
		return true;
	pl_err_field(err, pool, "body.content", "too_large", "must have at most %lld bytes", max);
	fields = err->fields;
	pl_err_set(err, PL_E_TOO_LARGE, "content may have at most %lld bytes.", max);
	err->fields = fields;
	return false;
}

void message_edit(struct svc *svc, const struct config *config, struct pl_task *task, int64_t room_id, int64_t seq,
    struct pl_str content, repo_message_changed_fn *done, void *arg)
{
	repo_message_edit(svc->db, task, room_id, seq, content, config->s.edit_window, on_revised,
	    revising(svc, task, done, arg));
}

void message_delete(struct svc *svc, const struct config *config, struct pl_task *task, int64_t room_id, int64_t seq,
    repo_message_changed_fn *done, void *arg)
{
	repo_message_delete(svc->db, task, room_id, seq, config->s.delete_window, on_revised,
	    revising(svc, task, done, arg));
}

void message_react(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str emoji, bool on,
    repo_message_changed_fn *done, void *arg)
{
	repo_message_react(svc->db, task, room_id, seq, emoji, on, on_revised, revising(svc, task, done, arg));
}

void message_pin(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, bool on,
    repo_message_changed_fn *done, void *arg)
{
	repo_message_pin(svc->db, task, room_id, seq, on, on_revised, revising(svc, task, done, arg));
}

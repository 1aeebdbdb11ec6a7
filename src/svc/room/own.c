/* SPDX-License-Identifier: ISC */
/*
 * repo_*() -> frame -> done.
 */
#include "svc/room/own.h"

#include "json.h"
#include "svc/notify/notify.h"

#define DRAFT_FRAME_MAX 16384	/* longer drafts are announced without their text */

struct own {
	struct svc *svc;
	struct pl_task *task;
	int64_t room_id;
	repo_member_settings_fn *settings_done;
	repo_draft_fn *draft_done;
	void *arg;
};

static struct own *own_new(struct svc *svc, struct pl_task *task, int64_t room_id, void *arg)
{
	struct own *own = pl_alloc(task->pool, sizeof(*own));

	*own = (struct own){ .svc = svc, .task = task, .room_id = room_id, .arg = arg };
	return own;
}

static struct pl_jw own_frame(struct pl_buf *buf, const char *type, int64_t room_id)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	pl_jw_kcstr(&w, "topic", "user:me");
	pl_jw_ki64(&w, "room_id", room_id);
	return w;
}

static void own_send(struct own *own, struct pl_jw *w)
{
	pl_jw_end_object(w);
	notify_user(own->svc, own->task->who.user_id, pl_buf_str(w->buf));
}

static void own_on_settings(void *arg, const struct member_settings *settings, const struct pl_err *err)
{
	struct own *own = arg;

	if (err == NULL) {
		struct pl_buf buf = PL_BUF(own->task->pool);
		struct pl_jw w = own_frame(&buf, "room_settings", own->room_id);

		pl_jw_kbool(&w, "favorite", settings->favorite);
		pl_jw_kbool(&w, "muted", settings->muted);
		if (settings->muted && settings->muted_until_us != 0)
			pl_jw_ktime(&w, "muted_until", settings->muted_until_us);
		if (settings->muted)
			pl_jw_kbool(&w, "muted_mentions", settings->muted_mentions);
		own_send(own, &w);
	}
	own->settings_done(own->arg, settings, err);
}

void own_settings_put(struct svc *svc, struct pl_task *task, int64_t room_id, enum member_set set,
    const struct member_settings *in, repo_member_settings_fn *done, void *arg)
{
	struct own *own = own_new(svc, task, room_id, arg);

	own->settings_done = done;
	repo_member_settings_put(svc->db, task, room_id, task->who.user_id, set, in, own_on_settings, own);
}

static void own_on_draft(void *arg, const struct draft *draft, const struct pl_err *err)
{
	struct own *own = arg;

	if (err == NULL) {
		struct pl_buf buf = PL_BUF(own->task->pool);
		struct pl_jw w = own_frame(&buf, "draft", own->room_id);

		if (draft->content.ptr != NULL && draft->content.len <= DRAFT_FRAME_MAX)
			pl_jw_kstr(&w, "content", draft->content);
		pl_jw_kbool(&w, "deleted", draft->content.ptr == NULL);
		pl_jw_ktime(&w, "updated_at", draft->updated_us);
		own_send(own, &w);
	}
	own->draft_done(own->arg, draft, err);
}

void own_draft_put(struct svc *svc, struct pl_task *task, int64_t room_id, struct pl_str content, repo_draft_fn *done,
    void *arg)
{
	struct own *own = own_new(svc, task, room_id, arg);

	own->draft_done = done;
	repo_draft_put(svc->db, task, room_id, task->who.user_id, content, own_on_draft, own);
}

/* SPDX-License-Identifier: ISC */
/*
 * Selects the roles that answer, and stops answers: role_consider -> consider_on_roles -> consider_on_room ->
 * role_answer_start for each, after room_role_take for those that join for this message.
 */
#include "clock.h"
#include "db/repo/repo_room.h"
#include "db/repo/repo_user.h"
#include "log.h"
#include "svc/bus/bus.h"
#include "svc/notify/mention.h"
#include "svc/room/role_int.h"
#include "svc/room/room.h"

#define NOT_HERE "role_id must be a role of this room or one of your roles."

struct consider {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct role_question question;
	struct pl_str content;
	struct role_list roles;
	bool forced;			/* a follow-up: the role is known */
	int64_t role_id;		/* only this role was asked; 0: select by turn */
	int joining;			/* roles that are joining the room */
	role_asked_fn *asked;
	void *arg;
};

/* A role that joins the room before it answers. */
struct taking { struct consider *consider; const struct role *role; };

static void consider_end(struct consider *c)
{
	struct pl_task *task = c->task;

	if (c->joining == 0)
		pl_task_release(&task);
}

static void consider_tell(struct consider *c, enum pl_code code, const char *text)
{
	struct pl_err err = { 0 };

	if (c->asked == NULL)
		return;
	if (code != PL_E_OK)
		pl_err_set(&err, code, "%s", text);
	c->asked(c->arg, code != PL_E_OK ? &err : NULL);
}

static void start(const struct consider *c, const struct role *role)
{
	role_answer_start(c->svc, c->config, &c->question, role, c->task->who.addr);
}

static void consider_on_taken(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct taking *taking = arg;
	struct consider *c = taking->consider;

	if (err == NULL) {
		start(c, taking->role);
		consider_tell(c, PL_E_OK, NULL);
	} else if (err->code == PL_E_NOT_FOUND) { /* a moderator added the last possible role first */
		consider_tell(c, PL_E_NOT_FOUND, NOT_HERE);
	} else {
		pl_log(PL_LOG_WARN, c->task, "role not added to the room; it does not answer",
		    "room=%lld role=%lld error=%s", (long long)c->question.room_id, (long long)taking->role->id,
		    pl_err_info(err->code)->code);
		consider_tell(c, err->code, pl_err_text(err));
	}
	c->joining--;
	consider_end(c);
}

static void consider_start(struct consider *c, const struct role *role)
{
	struct taking *taking;

	if (role->place != ROLE_TAKEN) {
		start(c, role);
		return;
	}
	taking = pl_alloc(c->task->pool, sizeof(*taking));
	*taking = (struct taking){ .consider = c, .role = role };
	c->joining++;
	room_role_take(c->svc, c->task, c->question.room_id, role->id, consider_on_taken, taking);
}

static bool has_turn(const struct consider *c, enum reply_policy policy, const struct role *role, bool mentioned)
{
	if (c->role_id != 0)
		return role->id == c->role_id && (c->forced || policy != REPLY_OFF);
	if (policy == REPLY_OFF)
		return false;
	return (policy == REPLY_ALL && role->place == ROLE_ATTACHED) || mentioned;
}

static void consider_on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct consider *c = arg;
	enum reply_policy policy;
	bool *mentioned;
	int count = 0;

	if (err != NULL) {
		pl_log(PL_LOG_WARN, c->task, "room not read; no role answers", "room=%lld error=%s",
		    (long long)c->question.room_id, pl_err_info(err->code)->code);
		consider_tell(c, err->code, pl_err_text(err));
		consider_end(c);
		return;
	}
	c->question.room_name = room->name;
	policy = room_reply_policy(room->reply_policy, room->role_count);
	mentioned = pl_alloc(c->task->pool, (size_t)c->roles.count + 1);
	mention_mark(c->task->pool, c->content, c->roles.rows, c->roles.count, mentioned);
	for (int i = 0; i < c->roles.count; i++) {
		if (has_turn(c, policy, &c->roles.rows[i], mentioned[i])) {
			consider_start(c, &c->roles.rows[i]);
			count++;
		}
	}
	if (count == 0 && policy == REPLY_OFF)
		consider_tell(c, PL_E_FORBIDDEN, "Roles do not answer in this room: its reply policy is off.");
	else if (count == 0)
		consider_tell(c, PL_E_NOT_FOUND, NOT_HERE);
	else if (c->joining == 0)	/* otherwise when the role has joined */
		consider_tell(c, PL_E_OK, NULL);
	consider_end(c);
}

static void consider_on_roles(void *arg, const struct role_list *roles, const struct pl_err *err)
{
	struct consider *c = arg;

	if (err != NULL || (roles->count == 0 && c->asked == NULL)) {
		if (err != NULL)
			consider_tell(c, err->code, pl_err_text(err));
		consider_end(c);
		return;
	}
	c->roles = *roles;
	repo_room_get(c->svc->db, c->task, c->question.room_id, 0, true, consider_on_room, c);
}

static struct consider *consider_new(struct svc *svc, const struct config *config, int64_t room_id, int64_t seq,
    int64_t asker_id)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
	struct consider *c = pl_alloc(task->pool, sizeof(*c));

	task->who.user_id = asker_id;
	*c = (struct consider){ .svc = svc, .config = config_keep(task->pool, config), .task = task,
		.question = { .room_id = room_id, .seq = seq, .asker_id = asker_id } };
	return c;
}

static void consider_begin(struct consider *c)
{
	repo_role_turn(c->svc->db, c->task, c->question.room_id, c->question.asker_id, c->role_id, consider_on_roles,
	    c);
}

static struct consider *consider_message(struct svc *svc, const struct config *config, const struct pl_task *task,
    const struct message *m, int64_t role_id)
{
	struct consider *c = consider_new(svc, config, m->room_id, m->seq, m->author_id);

	memcpy(c->task->who.addr, task->who.addr, sizeof(c->task->who.addr));
	c->question.asker_name = pl_str_dup(c->task->pool, m->author_name);
	c->content = pl_str_dup(c->task->pool, m->content);
	c->role_id = role_id;
	return c;
}

void role_consider(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *m,
    int64_t role_id, role_asked_fn *asked, void *arg)
{
	struct consider *c = consider_message(svc, config, task, m, role_id);

	c->asked = role_id != 0 ? asked : NULL;
	c->arg = arg;
	consider_begin(c);
}

void role_consider_again(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *m,
    int64_t role_id)
{
	struct consider *c = consider_message(svc, config, task, m, role_id);

	c->question.again = true;
	consider_begin(c);
}

void role_follow_up(struct svc *svc, const struct config *config, const struct generation_ended *ended)
{
	struct consider *c = consider_new(svc, config, ended->room_id, ended->follow_up_seq, ended->follow_up_asker);

	c->forced = true;
	c->role_id = ended->role_id;
	consider_begin(c);
}

/* ---- stopping ---- */

struct stop { struct svc *svc; repo_generation_fn *done; void *arg; };

static void stop_on_row(void *arg, const struct generation *row, const struct pl_err *err)
{
	struct stop *s = arg;
	struct shm_gen_info info;
	int index;

	if (err == NULL && (row->state == GEN_QUEUED || row->state == GEN_RUNNING)) {
		index = shm_gen_find(s->svc->shm, row->id, &info);
		if (index >= 0 && shm_gen_cancel(s->svc->shm, index, info.id) && info.owner_slot != s->svc->shm->slot)
			bus_post(s->svc, RING_STOP_GENERATION, pl_str(info.id), PL_STR_NONE);
	}
	s->done(s->arg, row, err);
}

void role_stop(struct svc *svc, struct pl_task *task, struct pl_str id, repo_generation_fn *done, void *arg)
{
	struct stop *s = pl_alloc(task->pool, sizeof(*s));

	*s = (struct stop){ .svc = svc, .done = done, .arg = arg };
	repo_generation_stoppable(svc->db, task, id, task->who.user_id, task->who.access == ACCESS_ADMIN, stop_on_row,
	    s);
}

/* SPDX-License-Identifier: ISC */
/*
 * Who answers, and stopping: role_consider -> consider_on_roles -> consider_on_room -> role_answer_start for each.
 */
#include "clock.h"
#include "db/repo/repo_room.h"
#include "db/repo/repo_user.h"
#include "log.h"
#include "svc/bus/bus.h"
#include "svc/room/role_int.h"
#include "svc/room/room.h"

struct consider {
	struct svc *svc;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	struct role_question question;
	struct pl_str content;
	struct role_list roles;
	char addr[46];
	bool forced;			/* a follow-up: the role was chosen before */
	int64_t forced_role;
};

static void consider_end(struct consider *c)
{
	struct pl_task *task = c->task;

	pl_task_release(&task);
}

static int effective_policy(const struct room *room)
{
	return (int)room_reply_policy(room->reply_policy, room->role_count);
}

static bool has_turn(const struct consider *c, int policy, const struct role *role)
{
	if (c->forced)
		return role->id == c->forced_role;
	if (policy == REPLY_OFF)
		return false;
	return policy == REPLY_ALL || mention_has(c->content, role->name);
}

static void consider_on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct consider *c = arg;

	if (err == NULL) {
		c->question.room_name = room->name;
		for (int i = 0; i < c->roles.count; i++)
			if (has_turn(c, effective_policy(room), &c->roles.rows[i]))
				role_answer_start(c->svc, c->config, &c->question, &c->roles.rows[i], c->addr);
	} else {
		pl_log(PL_LOG_WARN, c->task, "room not read: nobody answers", "room=%lld error=%s",
		    (long long)c->question.room_id, pl_err_info(err->code)->code);
	}
	consider_end(c);
}

static void consider_on_roles(void *arg, const struct role_list *roles, const struct pl_err *err)
{
	struct consider *c = arg;

	if (err != NULL || roles->count == 0) {
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

	*c = (struct consider){ .svc = svc, .config = config_keep(task->pool, config), .task = task,
		.question = { .room_id = room_id, .seq = seq, .asker_id = asker_id } };
	return c;
}

void role_consider(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *m)
{
	struct consider *c = consider_new(svc, config, m->room_id, m->seq, m->author_id);

	memcpy(c->addr, task->who.addr, sizeof(c->addr));
	c->question.asker_name = pl_str_dup(c->task->pool, m->author_name);
	c->content = pl_str_dup(c->task->pool, m->content);
	repo_role_of_room(svc->db, c->task, m->room_id, consider_on_roles, c);
}

void role_follow_up(struct svc *svc, const struct config *config, const struct generation_ended *ended)
{
	struct consider *c = consider_new(svc, config, ended->room_id, ended->follow_up_seq, ended->follow_up_asker);

	c->forced = true;
	c->forced_role = ended->role_id;
	repo_role_of_room(svc->db, c->task, ended->room_id, consider_on_roles, c);
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

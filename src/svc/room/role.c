/* SPDX-License-Identifier: ISC */
/*
 * The rules of roles that a shape cannot state.
 */
#include "svc/room/role.h"

#include "db/repo/name.h"
#include "db/repo/repo_user.h"
#include "svc/account/audit.h"

#define DISPLAY_MAX 64	/* characters */

/* What is wrong with the name, as a sentence; NULL: nothing. */
static const char *role_name_fault(struct pl_str name)
{
	bool plain = true;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c < ' ' || c == 0x7f)
			return "A name has no control characters.";
		plain = plain && name_char(name.ptr[i]);
	}
	if (plain)
		return name_fault(name);
	return pl_utf8_count(name.ptr, name.len) > DISPLAY_MAX ? "A name has 1 to 64 characters." : NULL;
}

bool role_valid(const struct config *config, struct pl_pool *pool, struct pl_str name, struct pl_str upstream,
    struct pl_err *err)
{
	const char *fault = name.ptr != NULL ? role_name_fault(name) : NULL;

	if (fault != NULL)
		pl_err_field(err, pool, "body.name", "value_error", "%s", fault);
	if (upstream.len > 0 && !pl_str_is(upstream, LLM_LOCAL) && config_upstream(config, upstream) == NULL)
		pl_err_field(err, pool, "body.upstream", "value_error",
		    "is no upstream of this server; see GET /api/llm/models");
	return err->code == PL_E_OK;
}

struct deleting { struct svc *svc; struct pl_task *task; int64_t id; db_done_fn *done; void *arg; };

static void deleting_on_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct deleting *d = arg;

	if (err == NULL)
		audit_note(d->svc, d->task, "role deleted", "role:%lld", (long long)d->id);
	d->done(d->arg, done, err);
}

void role_delete(struct svc *svc, struct pl_task *task, int64_t role_id, db_done_fn *done, void *arg)
{
	struct deleting *d = pl_alloc(task->pool, sizeof(*d));

	*d = (struct deleting){ .svc = svc, .task = task, .id = role_id, .done = done, .arg = arg };
	repo_role_delete(svc->db, task, role_id, task->who.user_id, task->who.access == ACCESS_ADMIN,
	    deleting_on_done, d);
}

/* SPDX-License-Identifier: ISC */
/* Rules about roles that a shape cannot express. */
#include "svc/room/role.h"

#include "db/repo/name.h"
#include "db/repo/repo_user.h"

#define DISPLAY_MAX 64	/* in characters */

/* Returns what is wrong with the name, as a sentence; NULL: nothing. */
static const char *role_name_fault(struct pl_str name)
{
	bool plain = true;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c < ' ' || c == 0x7f)
			return "A name must not contain control characters.";
		plain = plain && name_char(name.ptr[i]);
	}
	if (plain)
		return name_fault(name);
	return pl_utf8_count(name.ptr, name.len) > DISPLAY_MAX ? "A name must have 1 to 64 characters." : NULL;
}

bool role_valid(const struct config *config, struct pl_pool *pool, struct pl_str name, struct pl_str upstream,
    struct pl_err *err)
{
	const char *fault = name.ptr != NULL ? role_name_fault(name) : NULL;

	if (fault != NULL)
		pl_err_field(err, pool, "body.name", "value_error", "%s", fault);
	if (upstream.len > 0 && !pl_str_is(upstream, LLM_LOCAL) && config_upstream(config, upstream) == NULL)
		pl_err_field(err, pool, "body.upstream", "value_error",
		    "is not an upstream of this server; see GET /api/llm/models");
	return err->code == PL_E_OK;
}

void role_delete(struct svc *svc, struct pl_task *task, int64_t role_id, db_done_fn *done, void *arg)
{
	repo_role_delete(svc->db, task, role_id, task->who.user_id, task->who.access == ACCESS_ADMIN, done, arg);
}

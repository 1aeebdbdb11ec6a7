/* SPDX-License-Identifier: ISC */
/* Adds rows to the audit trail for acts that change no other row. */
#include "svc/account/audit.h"

#include <stdio.h>

#include "clock.h"
#include "db/repo/repo_audit.h"

enum { REFUSED_PER_HOUR = 20 };

void audit_note(struct svc *svc, struct pl_task *task, const char *action, const char *target_fmt, ...)
{
	struct pl_str target = PL_STR_NONE;
	char text[96];
	va_list args;

	if (target_fmt != NULL) {
		va_start(args, target_fmt);
		vsnprintf(text, sizeof(text), target_fmt, args);
		va_end(args);
		target = pl_str(text);
	}
	repo_audit_add(svc->db, task, pl_str(action), target, PL_STR_NONE, NULL, NULL);
}

void audit_refused(struct svc *svc, struct pl_task *task, const char *action, int64_t user_id)
{
	repo_audit_add_bounded(svc->db, task, pl_str(action), pl_str(pl_sprintf(task->pool, "user:%lld",
	    (long long)user_id)), REFUSED_PER_HOUR, NULL, NULL);
}

static void on_change(void *arg, const char *name)
{
	struct pl_buf *buf = arg;

	pl_buf_addf(buf, "%s\"%s\"", buf->len > 0 ? ", " : "", name);
}

void audit_settings(struct svc *svc, const struct config *old)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct pl_buf names = PL_BUF(task->pool);
	const char *after;

	config_changes(svc_config(svc), old, on_change, &names);
	if (names.len == 0 && svc_config(svc)->keys.sign != old->keys.sign) {	/* the second half of a reload */
		pl_task_release(&task);
		return;
	}
	after = pl_sprintf(task->pool, "{\"changed\": [%.*s]}", (int)names.len, names.len > 0 ? names.ptr : "");
	repo_audit_add(svc->db, task, PL_STR("settings reloaded"), PL_STR("settings"), pl_str(after), NULL, NULL);
	pl_task_release(&task);
}

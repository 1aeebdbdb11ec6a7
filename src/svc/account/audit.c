/* SPDX-License-Identifier: ISC */
/*
 * Rows of the audit trail.
 */
#include <stdio.h>

#include "db/repo/repo_admin.h"
#include "svc/account/audit.h"

void audit_note(struct svc *svc, struct pl_task *task, const char *action, const char *target_fmt, ...)
{
	struct audit_row row = { .action = pl_str(action), .actor_id = task->who.user_id };
	char target[96];
	va_list args;

	if (target_fmt != NULL) {
		va_start(args, target_fmt);
		vsnprintf(target, sizeof(target), target_fmt, args);
		va_end(args);
		row.target = pl_str(target);
	}
	repo_audit_add(svc->db, task, &row, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * The audit trail (table audit, view v_audit): who did what to whom, from where, by which request. No texts of people,
 * no e-mail addresses, no secrets.
 *
 * An act that changes rows is recorded in its own transaction, in one of two ways (sql/057_audit.sql):
 *
 *   - Triggers record what happens to accounts (created, deleted, access, disabled, password, address), to login
 *     sessions and keys in table login_sessions (begun, ended), to provider keys, to members (removed, level), and that
 *     rooms and roles are deleted, no matter if the server, parlourctl, or psql changes the rows.
 *   - The SQL function that does another act calls
 *         PERFORM audit_add('second factor removed', 'user:' || p_id);		-- act, subject
 *         PERFORM audit_add('invite created', 'invite:' || v_id, NULL, v_after);	-- and before, after
 *     Its last argument p_self is the account that acts in a request without a token, such as a login.
 *
 * Either way the repo function calls pgquery_audited(query) before pgquery_start(): then the caller, its address, and
 * the request id of the task go with the statement. Without that call the act appears as one of the system.
 *
 * The functions below are for acts that change no row. They are statements of their own, and nobody waits for them.
 */
#ifndef SVC_AUDIT_H
#define SVC_AUDIT_H

#include "svc/svc.h"

/* action: "settings reloaded"; the target such as "room:3", NULL: none. The actor is the caller of the task. */
void audit_note(struct svc *svc, struct pl_task *task, const char *action, const char *target_fmt, ...) PL_PRINTF(4, 5);
/*
 * The same for acts that strangers can repeat any number of times: at most 20 of one action are recorded per account
 * and hour.
 */
void audit_refused(struct svc *svc, struct pl_task *task, const char *action, int64_t user_id);
/* In the clerk, at a reload: records which settings have changed. */
void audit_settings(struct svc *svc, const struct config *old);

#endif

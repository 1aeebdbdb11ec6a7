/* SPDX-License-Identifier: ISC */
/*
 * Edits and deletes messages of rooms, for REST.
 */
#ifndef SVC_REVISE_H
#define SVC_REVISE_H

#include "db/repo/repo_message.h"
#include "svc/svc.h"

/*
 * Replaces the text of a message of the caller, and sends the change to all listeners. The errors of
 * repo_message_edit(). The caller has already checked the rate limits, and content_fits().
 */
void message_edit(struct svc *svc, const struct config *config, struct pl_task *task, int64_t room_id, int64_t seq,
    struct pl_str content, repo_message_changed_fn *done, void *arg);
/* Removes the text of a message, and sends the change to all listeners. The errors of repo_message_delete(). */
void message_delete(struct svc *svc, const struct config *config, struct pl_task *task, int64_t room_id, int64_t seq,
    repo_message_changed_fn *done, void *arg);

/* Checks a text against the setting max_content. false: *err is PL_E_TOO_LARGE with the field body.content. */
bool content_fits(const struct config *config, struct pl_str content, struct pl_pool *pool, struct pl_err *err)
    PL_MUSTCHECK;

#endif

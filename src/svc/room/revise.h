/* SPDX-License-Identifier: ISC */
/*
 * Changes messages of rooms, for REST: edits, deletes, reacts, and pins.
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

/*
 * Adds or removes a reaction, and pins or unpins a message; sends the change, if there is one, to all listeners. The
 * errors of repo_message_react() and repo_message_pin().
 */
void message_react(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str emoji, bool on,
    repo_message_changed_fn *done, void *arg);
void message_pin(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, bool on,
    repo_message_changed_fn *done, void *arg);

/* Checks a text against the setting max_content. false: *err is PL_E_TOO_LARGE with the field body.content. */
bool content_fits(const struct config *config, struct pl_str content, struct pl_pool *pool, struct pl_err *err)
    PL_MUSTCHECK;

#endif

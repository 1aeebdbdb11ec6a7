/* SPDX-License-Identifier: ISC */
/*
 * What members set for themselves in a room: favorite, mute, and the draft of a message. Each change is committed, sent
 * to the sockets of the user that listen to user:me, and then completes.
 */
#ifndef SVC_OWN_H
#define SVC_OWN_H

#include "db/repo/repo_mark.h"
#include "svc/svc.h"

/* See repo_member_settings_put(). */
void own_settings_put(struct svc *svc, struct pl_task *task, int64_t room_id, enum member_set set,
    const struct member_settings *in, repo_member_settings_fn *done, void *arg);
/* See repo_draft_put(); PL_E_TOO_LARGE: longer than a message may be. */
void own_draft_put(struct svc *svc, struct pl_task *task, int64_t room_id, struct pl_str content, repo_draft_fn *done,
    void *arg);

#endif

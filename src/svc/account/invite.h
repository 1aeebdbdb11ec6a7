/* SPDX-License-Identifier: ISC */
/*
 * Invites: links to register or to join a room. room_invite_accept() joins the room of one.
 */
#ifndef SVC_INVITE_H
#define SVC_INVITE_H

#include "db/repo/repo_invite.h"
#include "svc/svc.h"

enum { INVITE_TOKEN_LEN = 40 };

/* A token as the creator gets it, and its hash, which is stored. */
struct invite_token { char text[INVITE_TOKEN_LEN + 1]; unsigned char sha256[32]; };
void invite_token_make(struct invite_token *token);

/* What the database checks for the user of this token. */
struct invite_rule *invite_rule(const struct config *config, struct pl_pool *pool, struct pl_str token);

/* token: only here, it is not stored. */
struct invite_made { struct invite invite; struct pl_str token; };
typedef void (invite_made_fn)(void *arg, const struct invite_made *made, const struct pl_err *err);
/*
 * Creates an invite of the caller of the task. made_id: id of the invite that an earlier request with the same
 * Idempotency-Key created; its reply was lost, so nobody has its token, and it gets another one. 0: none. Errors:
 * repo_invite_create().
 */
void invite_make(struct svc *svc, const struct config *config, struct pl_task *task, const struct invite_new *in,
    int64_t made_id, invite_made_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Invites (tables invites, invite_uses): links that let people register, or join a room, or both.
 *
 * The rights of the creator are checked at each use. A use and its effects are one statement.
 */
#ifndef DB_REPO_INVITE_H
#define DB_REPO_INVITE_H

#include "db/repo/repo_room.h"

/* An invite as given by the user of its token. */
struct invite_rule {
	unsigned char sha256[32];	/* of the token */
	int access;			/* setting invite_access */
	bool open;			/* everybody may register */
};
struct invite_new {
	int64_t room_id;		/* 0: none */
	int level;			/* in the room; LEVEL_NONE: no room */
	int uses;
	int64_t life_s;
	struct pl_str note;		/* absent: none */
	int access;			/* setting invite_access */
	int64_t most;			/* setting invites_per_user */
};
/* creator 0: the operator. state: open, used, revoked, expired, void. */
struct invite {
	int64_t id, creator_id, room_id;
	struct pl_str creator, note, state;
	enum member_level level;
	int uses, used;
	int64_t created_us, expires_us;
};
struct invite_list { const struct invite *rows; int count; bool more; int64_t total; };
/*
 * What an invite shows to those who have it. room absent: it is not for a room. registers: people can register with it.
 */
struct invite_look {
	struct pl_str creator, creator_name, room;
	enum member_level level;
	int64_t expires_us;
	bool registers;
};

typedef void (repo_invite_list_fn)(void *arg, const struct invite_list *list, const struct pl_err *err);
typedef void (repo_invite_look_fn)(void *arg, const struct invite_look *look, const struct pl_err *err);

/* Gives its id. PL_E_NOT_FOUND (the room), PL_E_FORBIDDEN, PL_E_ARCHIVED, PL_E_CONFLICT (too many open ones). */
void repo_invite_create(struct db *db, struct pl_task *task, int64_t user_id, const struct invite_new *in,
    const unsigned char sha256[32], db_count_fn *done, void *arg);
/* Another token for an invite of this user. PL_E_NOT_FOUND. */
void repo_invite_renew(struct db *db, struct pl_task *task, int64_t user_id, int64_t invite_id,
    const unsigned char sha256[32], db_done_fn *done, void *arg);
/* For its creator and admins; repeatable. PL_E_NOT_FOUND: also an invite of another user. */
void repo_invite_revoke(
    struct db *db, struct pl_task *task, int64_t user_id, int64_t invite_id, db_done_fn *done, void *arg);

struct invite_ask {
	int64_t creator_id;		/* 0: of everybody */
	int64_t id;			/* only this one; 0: all */
	int64_t before;			/* those with a lower id; 0: all */
	int64_t offset;			/* -1: not by pages; else rows to skip, and total is counted */
	int limit;
	int access;			/* setting invite_access */
};
/* The newest first. */
void repo_invite_list(struct db *db, struct pl_task *task, const struct invite_ask *ask, repo_invite_list_fn *done,
    void *arg);
/* PL_E_NOT_FOUND: the invite is unknown or not open. */
void repo_invite_look(struct db *db, struct pl_task *task, const struct invite_rule *rule, repo_invite_look_fn *done,
    void *arg);
/*
 * The user joins the room; the level of a member does not change. PL_E_INVALID: detail says what is wrong with the
 * invite.
 */
void repo_invite_accept(struct db *db, struct pl_task *task, int64_t user_id, const struct invite_rule *rule,
    repo_room_result_fn *done, void *arg);

#endif

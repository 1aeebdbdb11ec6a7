/* SPDX-License-Identifier: ISC */
/*
 * Rooms, members and attached roles (tables rooms, members, room_roles; changes go to room_changes with a seq).
 *
 * user_id is the calling user. Users who are not members of a private room always get PL_E_NOT_FOUND; users who can see
 * a room but do not have the level get PL_E_FORBIDDEN. With `admin` the caller counts as an owner of every room.
 */
#ifndef DB_REPO_ROOM_H
#define DB_REPO_ROOM_H

#include "db/repo/repo_message.h"

enum room_visibility { ROOM_PUBLIC, ROOM_PRIVATE };
enum reply_policy { REPLY_DEFAULT, REPLY_OFF, REPLY_MENTION, REPLY_ALL };	/* default: decided when a role joins */
enum member_level { LEVEL_NONE, LEVEL_MEMBER, LEVEL_MODERATOR, LEVEL_OWNER };

struct room {
	int64_t id, owner_id;			/* owner 0: the system */
	struct pl_str name;
	enum room_visibility visibility;
	enum reply_policy reply_policy;
	enum member_level level;		/* of the calling user; LEVEL_NONE: not a member */
	int64_t last_seq, last_us, epoch, created_us, member_count;
	bool archived;
	const int64_t *role_ids;		/* attached, ascending */
	const struct pl_str *role_names;	/* in the same order */
	const struct pl_str *role_displays;	/* the names as they were given */
	int role_count;
	bool has_marks;				/* only in lists, of members: */
	int64_t last_read, unread, mentions;	/* -1: not counted, because a lock did not allow it */
	bool favorite, muted, muted_mentions;
	int64_t muted_until_us;			/* 0: indefinitely */
	struct pl_str topic, description;	/* absent: none */
	int slow_mode_s;			/* 0: no slow mode */
};
struct room_list { const struct room *rows; int count; bool more; int64_t total; };
/* The room as the calling user sees it now, and the log entry that was written (change.seq 0: nothing changed). */
struct room_result { struct room room; struct room_change change; };
struct member { int64_t user_id; struct pl_str username, name; enum member_level level; int64_t joined_us; };
struct member_list { const struct member *rows; int count; bool more; };
struct room_head { int64_t room_id, last_seq, epoch; bool can_read, is_member, archived; };
struct room_head_list { const struct room_head *rows; int count; };

typedef void (repo_room_fn)(void *arg, const struct room *room, const struct pl_err *err);
typedef void (repo_room_list_fn)(void *arg, const struct room_list *list, const struct pl_err *err);
typedef void (repo_room_result_fn)(void *arg, const struct room_result *result, const struct pl_err *err);
typedef void (repo_member_list_fn)(void *arg, const struct member_list *list, const struct pl_err *err);
typedef void (repo_room_head_fn)(void *arg, const struct room_head *head, const struct pl_err *err);
typedef void (repo_room_head_list_fn)(void *arg, const struct room_head_list *list, const struct pl_err *err);

struct room_new {
	struct pl_str name;			/* 1..128 bytes */
	enum room_visibility visibility;
	enum reply_policy reply_policy;
	const int64_t *role_ids;
	int role_count;				/* -1: the room takes roles of its owner when they are used */
	int64_t max_per_owner;			/* setting rooms_per_user */
};
/* The creator is owner; the change is its `joined`. PL_E_INVALID (a role does not exist), PL_E_CONFLICT (too many). */
void repo_room_create(struct db *db, struct pl_task *task, int64_t user_id, const struct room_new *in,
    repo_room_result_fn *done, void *arg);
/* PL_E_NOT_FOUND. Public rooms are readable without joining. */
void repo_room_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_fn *done, void *arg);
/* Public ones and those the user is a member of, ascending by id, ids > after; archived ones only for members. */
void repo_room_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t after, int limit,
    repo_room_list_fn *done, void *arg);

struct room_patch {
	struct pl_str name, topic, description;	/* absent: unchanged; empty topic or description: none */
	int visibility, reply_policy, archived, slow_mode_s;	/* -1: unchanged */
};
/*
 * Moderators and owners; visibility and archived: owners. Writes `room_changed`. PL_E_ARCHIVED: an archived room can
 * only be unarchived, also together with other changes.
 */
void repo_room_patch(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    const struct room_patch *patch, repo_room_result_fn *done, void *arg);
#define ROOM_DELETED_MEMBERS 1000	/* members of a deleted room whom a result names */
struct room_deleted { const int64_t *members; int count; };
typedef void (repo_room_deleted_fn)(void *arg, const struct room_deleted *result, const struct pl_err *err);
/* Owners. The room, its log and its generations are deleted. */
void repo_room_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_deleted_fn *done, void *arg);

/* Idempotent; public rooms only (members of a private one: nothing changes). PL_E_NOT_FOUND, PL_E_ARCHIVED. */
void repo_room_join(
    struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, repo_room_result_fn *done, void *arg);
/* Idempotent. The last owner of a room can leave it only if it is archived, else PL_E_CONFLICT. */
void repo_room_leave(
    struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, repo_room_result_fn *done, void *arg);
/*
 * Moderators add members, owners any level; again with another level changes it, for members of a lower level.
 * PL_E_NOT_FOUND: also no such user. PL_E_CONFLICT: banned, or the last owner.
 */
void repo_member_add(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, int level, repo_room_result_fn *done, void *arg);
/* Only members of a lower level. Admins: anybody but the last owner (PL_E_CONFLICT). No member: nothing changes. */
void repo_member_remove(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, repo_room_result_fn *done, void *arg);
/* A member becomes owner instead of the caller. Owners and admins. PL_E_NOT_FOUND: also no member. */
void repo_room_hand_over(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, repo_room_result_fn *done, void *arg);

struct room_ban { int64_t user_id, by_id, created_us; struct pl_str username, name, by_name, reason; };
struct room_ban_list { const struct room_ban *rows; int count; };
typedef void (repo_room_ban_list_fn)(void *arg, const struct room_ban_list *list, const struct pl_err *err);
/*
 * Moderators and owners. For a banned user, the room does not exist. reason: absent: none. Again: only the reason
 * changes. PL_E_NOT_FOUND: also no such user. PL_E_FORBIDDEN: also a user of the same or a higher level.
 */
void repo_room_ban(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, struct pl_str reason, repo_room_result_fn *done, void *arg);
/* PL_E_NOT_FOUND: also not banned. */
void repo_room_unban(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    int64_t other_id, db_done_fn *done, void *arg);
/* Moderators and owners, else PL_E_FORBIDDEN. Ascending by user id, at most 10,000. */
void repo_room_bans(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin,
    repo_room_ban_list_fn *done, void *arg);

/* Ascending by user id, > after. */
void repo_member_list(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin, int64_t after,
    int limit, repo_member_list_fn *done, void *arg);
/* Attach (true) or detach; idempotent; moderators and owners. PL_E_NOT_FOUND: also no such role. */
void repo_room_role(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, bool admin, int64_t role_id,
    bool attach, repo_room_result_fn *done, void *arg);
/* A role of the owner joins a room that takes them; idempotent; user_id asked it. PL_E_NOT_FOUND: not in this room. */
void repo_room_take(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t role_id,
    repo_room_result_fn *done, void *arg);

/* Always a result: can_read false when hidden or absent (last_seq and epoch are 0 then). */
void repo_room_head(
    struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, repo_room_head_fn *done, void *arg);
/* Which of these users may not read the room. */
struct id_list { const int64_t *ids; int count; };
typedef void (repo_id_list_fn)(void *arg, const struct id_list *list, const struct pl_err *err);
void repo_room_strangers(struct db *db, struct pl_task *task, int64_t room_id, const int64_t *user_ids, int count,
    repo_id_list_fn *done, void *arg);
/* Positions of many rooms at once (the 5 s check); no access check; absent rooms are left out; any order. */
void repo_room_heads(struct db *db, struct pl_task *task, const int64_t *room_ids, int count,
    repo_room_head_list_fn *done, void *arg);

#endif

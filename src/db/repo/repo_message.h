/* SPDX-License-Identifier: ISC */
/*
 * Messages and the room's log (tables messages, room_changes). A message's address is (room, seq).
 */
#ifndef DB_REPO_MESSAGE_H
#define DB_REPO_MESSAGE_H

#include "db/db.h"

enum author_kind { AUTHOR_USER, AUTHOR_ROLE, AUTHOR_SYSTEM };

struct message {
	int64_t room_id, seq;
	enum author_kind author_kind;
	int64_t author_id;			/* 0 for the system */
	struct pl_str author_name, client_id, content;	/* content "" when deleted */
	struct pl_str author_display;		/* display name of the author; absent: none */
	int64_t reply_to;			/* seq, 0 = none */
	struct pl_str generation_id, meta;	/* UUID text and JSON text; absent when none */
	int64_t created_us, edited_us, deleted_us;
};
/*
 * Anything in the log that is not a message. body is a JSON object; parlour-ws(7) describes its members for each kind.
 */
struct room_change {
	int64_t room_id, seq, target_seq;	/* target 0 = none */
	struct pl_str kind;			/* see room_changes.kind */
	enum author_kind actor_kind;
	int64_t actor_id;
	struct pl_str actor_name, body;
	int64_t created_us;
};
struct room_event { bool is_message; struct message message; struct room_change change; };
static inline int64_t room_event_seq(const struct room_event *event)
{
	return event->is_message ? event->message.seq : event->change.seq;
}

/* While none of these changes, the messages of the room do not change either. names: changes with names of users. */
struct room_mark { int64_t last_seq, epoch, edits; uint64_t names; };
/* sure: no name of a user among them can have changed before `mark` was taken. */
struct message_list { const struct message *rows; int count; bool more, sure; struct room_mark mark; };
struct room_log { const struct room_event *rows; int count; bool more; int64_t last_seq, epoch; };
typedef void (repo_message_list_fn)(void *arg, const struct message_list *list, const struct pl_err *err);
typedef void (repo_room_log_fn)(void *arg, const struct room_log *log, const struct pl_err *err);

/*
 * before > 0: the last `limit` with seq < before; else after >= 0: the first `limit` with seq > after; else (after -1):
 * the newest. Skips `offset` messages first, in that direction. limit 1..1000. The page ends before the message whose
 * text would exceed `bytes`, but has at least one message. Longer texts are reduced to the last `most` characters. of:
 * which messages of the room.
 */
enum page_of { PAGE_OF_ALL, PAGE_OF_PINNED, PAGE_OF_KINDS };
struct message_range { int64_t after, before; int limit, offset, most, bytes; enum page_of of; };
/*
 * One page, always oldest first. `more`: there are more messages in the direction of the range. user_id 0: no access
 * check (the daemon's own use). PL_E_NOT_FOUND: absent or hidden.
 */
void repo_message_page(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    const struct message_range *range, repo_message_list_fn *done, void *arg);
/* The mark of a room, with the names of these roles, ascending by id; a role that does not exist is left out. */
struct room_marked { struct room_mark mark; const struct pl_str *role_names, *role_displays; int role_count; };
typedef void (repo_room_mark_fn)(void *arg, const struct room_marked *marked, const struct pl_err *err);
/* role_ids: ascending. PL_E_NOT_FOUND: absent or hidden. */
void repo_room_mark(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, const int64_t *role_ids,
    int role_count, repo_room_mark_fn *done, void *arg);
/*
 * Messages and changes with seq > after, ascending, for recovery and gap repair: at most `limit` of them, and none
 * after the one that reaches `bytes` of text. `more`: the room has later ones. No access check. PL_E_NOT_FOUND: no
 * room.
 */
void repo_room_log(struct db *db, struct pl_task *task, int64_t room_id, int64_t after, int limit, int64_t bytes,
    repo_room_log_fn *done, void *arg);

struct message_new {
	int64_t room_id;
	enum author_kind author_kind;
	int64_t author_id, reply_to;		/* a reply_to that is not a message of the room is stored as none */
	struct pl_str client_id;		/* absent: one is generated here, before the first attempt */
	struct pl_str content;
	struct pl_str generation_id, meta;	/* absent when none */
};
/*
 * has_roles: AI roles are attached to the room and may answer; takes_roles: roles of its owner join when they are used.
 */
/* reply_to: as stored, 0 if the requested one is not a message of the room */
struct appended {
	bool duplicate, has_roles, takes_roles;
	int64_t reply_to, seq, created_us;
	struct pl_str client_id, display;	/* display: of an author who is a user; absent: none, or unknown */
};
typedef void (repo_append_fn)(void *arg, const struct appended *result, const struct pl_err *err);
/*
 * Sends one message through the write groups; `done` after its commit, in order of the calls per room. duplicate: the
 * same (author, client_id, content) was stored before; seq and created_us are the first one's. Errors: PL_E_CONFLICT
 * (same client_id, other content), PL_E_FORBIDDEN (the author is no member, or the role is not attached),
 * PL_E_ARCHIVED, PL_E_SLOW_MODE (retry_after_s), PL_E_NOT_FOUND (no room), PL_E_WRITE_UNKNOWN (no outcome in time;
 * the same send will be repeated here anyway), PL_E_DB_AWAY (never sent).
 */
void repo_message_append(
    struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg);

/*
 * Edit and delete keep the seq and write `edited` or `deleted` to the log. Authors only, within window_ms after sending
 * (0: no limit); delete also moderators, owners, and admins, without a limit. Delete removes all copies of the text.
 * PL_E_NOT_FOUND, PL_E_FORBIDDEN, PL_E_ARCHIVED. If the content is the same, or the message was deleted before,
 * change.seq is 0. Messages are without the display names of their authors.
 */
struct message_changed { struct message message; struct room_change change; };
typedef void (repo_message_changed_fn)(void *arg, const struct message_changed *result, const struct pl_err *err);
void repo_message_edit(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str content,
    int64_t window_ms, repo_message_changed_fn *done, void *arg);
void repo_message_delete(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int64_t window_ms,
    repo_message_changed_fn *done, void *arg);

/*
 * Adds or removes a reaction of the caller, who must be a member; pins or unpins a message, for moderators and owners.
 * Both write to the log; if nothing changed, change.seq is 0. emoji: a form of pl_emoji(). PL_E_NOT_FOUND (also: the
 * message was deleted), PL_E_FORBIDDEN, PL_E_ARCHIVED, PL_E_CONFLICT (REACTIONS_MAX, PINS_MAX).
 */
#define REACTIONS_MAX 20	/* different emojis of a message */
#define PINS_MAX 50		/* pinned messages of a room */
void repo_message_react(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, struct pl_str emoji, bool on,
    repo_message_changed_fn *done, void *arg);
void repo_message_pin(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, bool on,
    repo_message_changed_fn *done, void *arg);

struct reaction { int64_t id, user_id, created_us; struct pl_str emoji, username, name; };
struct reaction_list { const struct reaction *rows; int count; bool more; };
typedef void (repo_reaction_list_fn)(void *arg, const struct reaction_list *list, const struct pl_err *err);
/* after: an id. emoji absent: all; user_id 0: of all users. */
struct reaction_range { int64_t after, user_id; struct pl_str emoji; int limit; };
/* Reactions to a message, oldest first. PL_E_NOT_FOUND: no such message, or the caller cannot read the room. */
void repo_message_reactions(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq,
    const struct reaction_range *range, repo_reaction_list_fn *done, void *arg);

struct message_version { int version; struct pl_str content; int64_t written_us; };
struct message_version_list { const struct message_version *rows; int count; bool more; };
typedef void (repo_version_list_fn)(void *arg, const struct message_version_list *list, const struct pl_err *err);
/*
 * Earlier texts of a message with a version > after, oldest first. limit 1..50. PL_E_NOT_FOUND: no such message, or the
 * caller cannot read the room.
 */
void repo_message_versions(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, int after, int limit,
    repo_version_list_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * How far members have read their rooms (table member_marks), and what they have not read.
 */
#ifndef DB_REPO_MARK_H
#define DB_REPO_MARK_H

#include "db/db.h"

#define UNREAD_MAX 100		/* greater numbers of unread messages and mentions are not counted */

/* A member who has read a room up to last_read, in a room that is at last_seq. */
struct read_mark { int64_t user_id, room_id, last_read, last_seq; };
struct read_mark_list { const struct read_mark *rows; int count; };
typedef void (repo_read_marks_fn)(void *arg, const struct read_mark_list *list, const struct pl_err *err);
/* All memberships of these users. */
void repo_read_marks(struct db *db, struct pl_task *task, const int64_t *user_ids, int count, repo_read_marks_fn *done,
    void *arg);
/*
 * Moves markers forward, never back; last_seq is not used. Markers beyond the end of a room end there. Gives how many
 * moved.
 */
void repo_read_marks_write(struct db *db, struct pl_task *task, const struct read_mark *marks, int count,
    db_count_fn *done, void *arg);

/* What a member has not read; each number is at most UNREAD_MAX. */
struct unread_count { int64_t user_id, room_id, last_seq, last_read, unread, mentions; };
struct unread_count_list { const struct unread_count *rows; int count; };
typedef void (repo_unread_fn)(void *arg, const struct unread_count *count, const struct pl_err *err);
typedef void (repo_unread_list_fn)(void *arg, const struct unread_count_list *list, const struct pl_err *err);
/*
 * Moves the marker of a member forward to seq, or with `back` to the entry before seq. PL_E_NOT_FOUND, PL_E_FORBIDDEN
 * (not a member), PL_E_INVALID (seq: the room has no such entry). The result has no last_seq.
 */
void repo_read_mark_move(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, int64_t seq, bool back,
    repo_unread_fn *done, void *arg);
/* Counts after last_read of each mark, in any order; rooms that are gone are left out. */
void repo_unread_count(struct db *db, struct pl_task *task, const struct read_mark *marks, int count,
    repo_unread_list_fn *done, void *arg);

/* What a member wants of a room. muted_until_us 0: indefinitely. */
struct member_settings { bool favorite, muted, muted_mentions; int64_t muted_until_us; };
typedef void (repo_member_settings_fn)(void *arg, const struct member_settings *settings, const struct pl_err *err);
enum member_set { MEMBER_FAVORITE, MEMBER_MUTE, MEMBER_UNMUTE };
/* Changes the part that `set` names, and gives all. PL_E_NOT_FOUND, PL_E_FORBIDDEN (not a member). */
void repo_member_settings_put(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    enum member_set set, const struct member_settings *in, repo_member_settings_fn *done, void *arg);

struct draft { struct pl_str content; int64_t updated_us; };
typedef void (repo_draft_fn)(void *arg, const struct draft *draft, const struct pl_err *err);
/* content absent: deletes it; the result has the time then. PL_E_NOT_FOUND, PL_E_FORBIDDEN (not a member). */
void repo_draft_put(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, struct pl_str content,
    repo_draft_fn *done, void *arg);
/* PL_E_NOT_FOUND: also without a draft. */
void repo_draft_get(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id, repo_draft_fn *done,
    void *arg);

#endif

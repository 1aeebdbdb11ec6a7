/* SPDX-License-Identifier: ISC */
/*
 * Notifications (tables notifications, notification_queue).
 *
 * Rows have no texts: `text` is read from the message or the feedback request at the same time, as far as the user may
 * read it.
 */
#ifndef DB_REPO_NOTIFICATION_H
#define DB_REPO_NOTIFICATION_H

#include "db/db.h"

struct notification {
	int64_t id, user_id;
	struct pl_str kind;		/* mention, reply, added, invite, question */
	int64_t actor_id;
	struct pl_str actor, actor_name;	/* absent: the account was deleted, or has no display name */
	int64_t room_id, seq;		/* 0: none, or the user may not read the room */
	struct pl_str room, request_id;
	struct pl_str text;		/* its start; absent: none, deleted, or the user may not read it */
	int64_t created_us, read_us;	/* read_us 0: unread */
	int64_t unread;			/* number of unread notifications of the user */
};
struct notification_list { const struct notification *rows; int count; bool more; int64_t unread; };
typedef void (repo_notification_list_fn)(void *arg, const struct notification_list *list, const struct pl_err *err);

/* The newest first; before 0: starts with the newest. */
void repo_notification_list(struct db *db, struct pl_task *task, int64_t user_id, int64_t before, bool unread,
    int limit, repo_notification_list_fn *done, void *arg);
/*
 * Marks one (id) or all up to a number (id 0) as read, and returns the number of unread ones then. PL_E_NOT_FOUND: also
 * a notification of another user.
 */
void repo_notification_read(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, int64_t up_to,
    db_count_fn *done, void *arg);

/* What the user wants of each kind: live, mail, or off; and of the daily mail. */
enum notify_kind { NOTIFY_MENTION, NOTIFY_REPLY, NOTIFY_ADDED, NOTIFY_INVITE, NOTIFY_QUESTION, NOTIFY_KINDS };
struct notification_settings {
	struct pl_str delivery[NOTIFY_KINDS];
	int hour;			/* of the daily mail, in the time zone of the user; -1: not given */
	int64_t due_us;			/* when the next one is due; 0: never */
};
typedef void (repo_notification_settings_fn)(void *arg, const struct notification_settings *settings,
    const struct pl_err *err);
void repo_notification_settings(struct db *db, struct pl_task *task, int64_t user_id,
    repo_notification_settings_fn *done, void *arg);
/*
 * replace: absent texts count as live, and an absent hour as 8; otherwise they leave the setting unchanged. due_us is
 * not read.
 */
void repo_notification_settings_put(struct db *db, struct pl_task *task, int64_t user_id,
    const struct notification_settings *settings, bool replace, db_done_fn *done, void *arg);
/* Ends the daily mails of a user. Not an error if there is no such user. */
void repo_notification_mails_off(struct db *db, struct pl_task *task, int64_t user_id, db_done_fn *done, void *arg);
/* Queues the daily mails of at most `limit` users for which they are due, and gives the number of these users. */
void repo_digests_queue(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg);

/*
 * Notifies the users whom a stored message mentions or answers, and returns the new notifications; none if that was
 * done before. places: see SQL function notify_message(). most: setting notifications_per_user.
 */
void repo_notify_message(struct db *db, struct pl_task *task, int64_t room_id, int64_t seq, const struct pl_str *places,
    int count, int64_t most, repo_notification_list_fn *done, void *arg);
/* Notifications that were not sent to sockets yet; each is returned once. */
void repo_notify_announce(struct db *db, struct pl_task *task, int limit, int64_t most,
    repo_notification_list_fn *done, void *arg);

/* Messages for which nobody called repo_notify_message() within 2 s. */
struct notify_left { int64_t room_id, seq; struct pl_str content; };
struct notify_left_list { const struct notify_left *rows; int count; };
typedef void (repo_notify_left_fn)(void *arg, const struct notify_left_list *list, const struct pl_err *err);
void repo_notify_left(struct db *db, struct pl_task *task, int limit, repo_notify_left_fn *done, void *arg);

/* Deletes those older than keep_us, and returns their number. */
void repo_notifications_purge(struct db *db, struct pl_task *task, int64_t keep_us, int limit, db_count_fn *done,
    void *arg);

#endif

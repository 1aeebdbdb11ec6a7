/* SPDX-License-Identifier: ISC */
/*
 * Live numbers of unread messages: frames `unread` on user:me, at most one a second per room and user.
 *
 *   message committed -> unread_published() -> workers with a listener that is a member -> +1 -> frame
 *   marker moved      -> unread_moved()     -> workers with a listener of the user      -> 0 or a count -> frame
 *
 * Numbers are kept in memory for the rooms of each user who listens, so that a message needs no query. A number that is
 * not known (after a mention, a deletion, lost events, or a marker in the middle of a room) is counted in PostgreSQL,
 * for many at once: COUNT_MAX each WAKE_MS. A number that has reached UNREAD_MAX no longer changes and costs nothing
 * until the marker moves. GET /api/rooms has the truth.
 */
#ifndef SVC_UNREAD_H
#define SVC_UNREAD_H

#include "db/repo/repo_mark.h"
#include "svc/svc.h"

struct unread_sub;
/* owner: as given to unread_listen(). Must not call unread_listen() or unread_unlisten(). */
typedef void (unread_frame_fn)(void *owner, struct pl_str frame);

/* Registers with svc->bus. */
struct unread *unread_new(struct svc *svc);
/* All listeners are gone. */
void unread_free(struct unread **unread);

/* A socket that gets the frames of this user. */
struct unread_sub *unread_listen(struct unread *unread, int64_t user_id, unread_frame_fn *fn, void *owner);
void unread_unlisten(struct unread *unread, struct unread_sub **sub);

enum unread_event { UNREAD_MESSAGE, UNREAD_DELETED, UNREAD_OTHER };
/* An entry of the log of a room was committed. author_id: user who wrote the message, else 0. */
void unread_published(struct svc *svc, enum unread_event event, int64_t room_id, int64_t seq, int64_t author_id);
/* A user was mentioned in a room: the notification is committed. */
void unread_mentioned(struct svc *svc, int64_t user_id, int64_t room_id);
/* The marker of a user moved forward to seq, or with `back` to the entry before seq. */
void unread_moved(struct svc *svc, int64_t user_id, int64_t room_id, int64_t seq, bool back);
/* On each worker: a user joined or left a room. */
void unread_member(struct svc *svc, int64_t user_id, int64_t room_id, bool joined);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of unread: rooms, users who listen, and an entry for each room of such a user.
 */
#ifndef SVC_UNREAD_INT_H
#define SVC_UNREAD_INT_H

#include <event2/event.h>
#include <sys/queue.h>

#include "svc/notify/unread.h"

struct unread_node { int64_t id; struct unread_node *next; };
struct unread_table { struct unread_node **buckets; uint32_t size, count; };

struct unread_entry {
	struct unread_room *room;
	struct unread_user *user;
	LIST_ENTRY(unread_entry) in_room, in_user;
	TAILQ_ENTRY(unread_entry) in_dirty;
	int64_t last_read;
	int64_t counted;		/* messages up to this seq are in the numbers */
	uint32_t told_ms;		/* time of the last frame */
	uint8_t number, mentions;	/* valid if `known` */
	uint8_t told_number, told_mentions;
	bool known, dirty, told;	/* told: the last frame had this last_read */
};
struct unread_room {
	struct unread_node node;
	int64_t last_seq;
	uint64_t seen;			/* bit n: event last_seq - n was received; they may come out of order */
	int gap_ticks;			/* seconds since one is missing */
	LIST_HEAD(, unread_entry) entries;
};
struct unread_sub { struct unread_user *user; unread_frame_fn *fn; void *owner; LIST_ENTRY(unread_sub) link; };
struct unread_user {
	struct unread_node node;
	LIST_HEAD(, unread_sub) subs;
	LIST_HEAD(, unread_entry) entries;
	TAILQ_ENTRY(unread_user) in_loads;
	bool wanted;			/* in unread->loads */
};
struct unread {
	struct svc *svc;
	struct unread_table rooms, users;
	TAILQ_HEAD(unread_dirty_list, unread_entry) dirty;	/* have something to report, or to count */
	TAILQ_HEAD(, unread_user) loads;	/* whose rooms must be read */
	struct event *timer;
	bool armed, loading, counting;
};

/* unread_table.c */
struct unread_node *unread_find(const struct unread_table *table, int64_t id);
void unread_insert(struct unread_table *table, struct unread_node *node);
void unread_remove(struct unread_table *table, struct unread_node *node);
struct unread_entry *unread_entry_find(const struct unread *unread, int64_t user_id, int64_t room_id);
/* Finds or makes it; *fresh_r is set if nobody here was in the room before. */
struct unread_entry *unread_entry_need(struct unread *unread, struct unread_user *user, int64_t room_id,
    int64_t last_seq, bool *fresh_r);
void unread_entry_free(struct unread *unread, struct unread_entry *entry);

/* unread.c */
/* There is news for the user; a frame follows, after a count if the number is not known. */
void unread_dirty(struct unread *unread, struct unread_entry *entry);
/* Sends the frame, if it differs from the last one; nothing is due then. */
void unread_tell(struct unread *unread, struct unread_entry *entry);
/* Events of the room were lost: its last seq is known, but not the earlier events. */
void unread_room_lost(struct unread *unread, struct unread_room *room, int64_t last_seq);
#define UNREAD_WAKE_MS 200
/* The timer runs within ms. */
void unread_arm(struct unread *unread, int ms);

/* unread_ask.c: queries. */
void unread_load(struct unread *unread);
void unread_load_later(struct unread *unread, struct unread_user *user);
/* Marks whose numbers must be counted; at most UNREAD_ASK. */
#define UNREAD_ASK 200
void unread_count(struct unread *unread, const struct read_mark *marks, int count);

#endif

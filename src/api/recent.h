/* SPDX-License-Identifier: ISC */
/*
 * The newest messages of rooms, as JSON, so that most pages need no messages from PostgreSQL.
 *
 * Each process has its own cache. An entry has the mark of the room for which it is complete; it is used only after
 * PostgreSQL confirmed the mark for this request, with the permission of the user (repo_room_mark()). The texts contain
 * display names: the mark covers names of users, and names of roles are compared.
 */
#ifndef API_RECENT_H
#define API_RECENT_H

#include <sys/queue.h>

#include "db/repo/repo_message.h"

#define RECENT_ROLES 8	/* rooms with more roles among the cached messages are not cached */

struct recents;

struct recent {
	TAILQ_ENTRY(recent) used;	/* the one used last comes first */
	TAILQ_ENTRY(recent) link;	/* in its bucket */
	int64_t room_id, used_ns;
	struct room_mark mark;
	bool filled;			/* false: nothing is cached, and the entry only has its place */
	bool filling;			/* a request is reading the messages */
	bool more;			/* the room has older messages */
	int count, places;
	int wanted;			/* the longest page that was asked for; more is kept until it is too much */
	struct recent_piece { int64_t seq; size_t at; } *pieces;	/* at: where its JSON begins */
	struct pl_buf text;		/* objects, each followed by a comma */
	size_t counted;			/* its bytes in the sum of all */
	int role_count;
	int64_t role_ids[RECENT_ROLES];	/* ascending */
	struct pl_str role_names[RECENT_ROLES], role_displays[RECENT_ROLES];	/* own memory */
};

struct recents *recents_new(void);
void recents_free(struct recents **recents);
/* Once a second: frees what was not used for a minute. */
void recents_tick(struct recents *recents);

/* NULL: the room is not in the cache. The entry counts as used. */
struct recent *recents_find(struct recents *recents, int64_t room_id);
/* The same, but creates an entry that is not filled. */
struct recent *recents_make(struct recents *recents, int64_t room_id);
void recents_drop(struct recents *recents, struct recent *recent);

/*
 * behind: only messages are missing that were stored later; stale: anything else. role_ids: what `marked` was asked
 * for.
 */
enum recent_state { RECENT_EXACT, RECENT_BEHIND, RECENT_STALE };
enum recent_state recent_state(const struct recent *recent, const struct room_marked *marked, const int64_t *role_ids,
    int role_count);

/* Returns whether the cached messages are newer than messages with this mark. */
bool recent_is_newer(const struct recent *recent, const struct room_mark *mark);
/*
 * Replaces the cached messages by the newest of the room, of which at most `wanted` were requested. All entries
 * together have at most bytes_max. NULL: the messages cannot be cached, and the entry is removed.
 */
struct recent *recents_set(
    struct recents *recents, int64_t room_id, const struct message_list *list, int wanted, size_t bytes_max);
/* Adds messages after the cached ones. false: they do not follow directly, or the entry was removed. */
bool recents_append(
    struct recents *recents, struct recent *recent, const struct message_list *list, size_t bytes_max);

/* A page, as a JSON array in `pool`. false: fewer messages are cached than requested, and the room has more. */
struct recent_page { struct pl_str json; int64_t first_seq, last_seq; bool more; };
bool recent_page(const struct recent *recent, int limit, struct pl_pool *pool, struct recent_page *page_r);

#endif

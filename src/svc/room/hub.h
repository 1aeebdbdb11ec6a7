/* SPDX-License-Identifier: ISC */
/*
 * Rooms as live topics: who on this worker listens, in which position, and how events reach them in order.
 *
 *   committed message -> hub_publish() -> bus          -> hub of other workers
 *                                      -> deliver here -> deliver there
 *
 * The ring is a hint, the log is the truth: a room delivers seq = last + 1; a lower one is dropped; a higher one is
 * held while the gap is read from PostgreSQL. Positions are compared with PostgreSQL every 5 s, after a lap, when a
 * slot dies, and when an event comes that should have been there already: the room may come from a backup.
 */
#ifndef SVC_HUB_H
#define SVC_HUB_H

#include "db/repo/repo_message.h"
#include "svc/bus/bus.h"

enum hub_kind { HUB_LOG, HUB_TYPING, HUB_READ, HUB_PRESENCE, HUB_GENERATION };
/* HUB_NATIVE_ASKER: what only the user who asked may read of a failed answer. */
enum hub_dialect { HUB_NATIVE, HUB_NATIVE_ASKER, HUB_ROOM_COMPAT, HUB_DIALECTS };

#define HUB_PRESENCE_LIST 100	/* above so many users only the count is told */

struct hub_presence { int count, users_count, joined_count, left_count; int64_t *users, *joined, *left; };

/*
 * State of a generation as viewers see it; text = the delta, offset = bytes before it. In hub_generation() offset is
 * the length of the whole text, and text its last bytes that are new.
 */
struct hub_generation {
	char id[PL_UUID_LEN + 1];
	int64_t role_id, asker_id, reply_to;
	enum { HUB_GEN_QUEUED, HUB_GEN_STARTED, HUB_GEN_DELTA, HUB_GEN_DONE, HUB_GEN_FAILED, HUB_GEN_CANCELLED,
	    HUB_GEN_INTERRUPTED } state;
	int64_t offset, answer_seq;
	struct pl_str text, role_name;
	enum pl_code error;
	bool lasting;				/* pl_err's */
	struct pl_str detail;			/* of the error, for asker_id only; absent: the code's own text */
};

/* One event for all who listen on this worker. Counted; what a dialect rendered is kept for the next listener. */
struct hub_event {
	int holds;
	enum hub_kind kind;
	int64_t room_id, user_id, seq;		/* user, seq: typing and read */
	struct pl_str user_name;
	struct room_event log;
	struct hub_presence presence;
	struct hub_generation gen;
	void *rendered[HUB_DIALECTS];
	void (*rendered_free)(void **rendered);
	struct pl_pool *pool;			/* its texts, itself included */
};

/* Registers with svc->bus. */
struct hub *hub_new(struct svc *svc);
void hub_free(struct hub **hub);

/* A committed message or change: to everybody on all workers. Texts are copied. */
void hub_publish(struct hub *hub, const struct room_event *event);
void hub_publish_change(struct hub *hub, const struct room_change *change);
/* Not in the log. */
void hub_typing(struct hub *hub, int64_t room_id, int64_t user_id, struct pl_str name);
void hub_read_marker(struct hub *hub, int64_t room_id, int64_t user_id, int64_t seq);
void hub_generation(struct hub *hub, int64_t room_id, const struct hub_generation *gen);
struct hub_event *hub_event_hold(struct hub_event *event);
void hub_event_release(struct hub_event **event);

#endif

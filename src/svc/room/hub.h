/* SPDX-License-Identifier: ISC */
/*
 * Rooms as live topics: the listeners of this worker, their positions, and the delivery of events in order.
 *
 *   committed message -> hub_publish() -> bus          -> hub of other workers
 *                                      -> deliver here -> deliver there
 *
 * Events of the ring may be lost; the log is complete. A room delivers seq = last + 1, drops lower ones, and holds a
 * higher one while it reads the gap from PostgreSQL. Positions are compared with PostgreSQL every 5 s, after lost
 * events, when a slot dies, and when an event with a known seq arrives again, because the database may have been
 * restored from a backup.
 */
#ifndef SVC_HUB_H
#define SVC_HUB_H

#include "db/repo/repo_message.h"
#include "svc/bus/bus.h"

enum hub_kind { HUB_LOG, HUB_TYPING, HUB_READ, HUB_PRESENCE, HUB_GENERATION };
/* HUB_NATIVE_ASKER: the details of a failed answer, for the user who asked only. */
enum hub_dialect { HUB_NATIVE, HUB_NATIVE_ASKER, HUB_ROOM_COMPAT, HUB_DIALECTS };

#define HUB_PRESENCE_LIST 100	/* above this number of users, only the count is sent */

struct hub_presence { int count, users_count, joined_count, left_count; int64_t *users, *joined, *left; };

/*
 * State of a generation for viewers; text = the delta, offset = bytes before it. In hub_generation(), offset is the
 * length of the whole text, and text has its new bytes.
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
	struct pl_str detail;			/* of the error, for asker_id only; absent: the text of the code */
};

/*
 * One event for all listeners of this worker. Counted. The frame of each dialect is rendered once and kept for the next
 * listener.
 */
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

/* Sends a committed message or change to all listeners of all workers. Texts are copied. */
void hub_publish(struct hub *hub, const struct room_event *event);
void hub_publish_change(struct hub *hub, const struct room_change *change);
/*
 * A room was deleted: ends its subscriptions in all workers, and reports to these members on user:me that they left. A
 * worker that loses the event finds out at the next comparison of positions.
 */
void hub_publish_deleted(struct hub *hub, int64_t room_id, const int64_t *members, int count);
/* Not in the log. */
void hub_typing(struct hub *hub, int64_t room_id, int64_t user_id, struct pl_str name);
void hub_read_marker(struct hub *hub, int64_t room_id, int64_t user_id, int64_t seq);
void hub_generation(struct hub *hub, int64_t room_id, const struct hub_generation *gen);
struct hub_event *hub_event_hold(struct hub_event *event);
void hub_event_release(struct hub_event **event);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of src/db only.
 */
#ifndef DB_DB_INT_H
#define DB_DB_INT_H

#include "core/lifeline.h"
#include "db/db.h"
#include "db/conn/lookup.h"
#include "db/conn/pgquery.h"
#include "db/conn/pggroup.h"
#include "db/conn/pgplain.h"
#include "db/conn/pgread.h"
#include "db/conn/shed.h"
#include "db/conn/wgroup.h"

#define DB_RETRY_AFTER_S 2	/* Retry-After while the database is away */
#define DB_TRIES_MAX 3		/* sends of one read, or of one statement that was rolled back by a deadlock */
#define DB_SWEEP_MS 25		/* interval of the checks for deadlines and silent connections */
#define DB_STUCK_MS 50		/* after this time without an answer, queries that can use another connection do */
#define DB_SLOW_MS 2000		/* a statement counts as slow after it was stuck, until it is quick again */
#define DB_QUEUE_MAX 8192	/* maximum number of queries, or sends, in flight in this process */

struct db {
	struct event_base *base;
	struct shm *shm;		/* may be NULL */
	CONFIG_HELD const struct config *config;
	int slot;
	uint32_t slot_generation;
	bool aside, stopping;		/* aside: the clerk or the courier, with one plain connection only */
	const char *who;		/* "w", "clerk", "courier": before the slot in application_name */
	int64_t boot;			/* random per start of the daemon, from the segment */
	char host[65];
	char place[LIFELINE_PLACE_MAX];	/* see lifeline_place() */
	struct lookup *lookup;
	struct pgread *read;		/* NULL when aside */
	struct pgplain *plain;
	struct pggroup *group;		/* NULL when aside, or with few connections */
	struct wgroup *wgroup;
	struct pgquery_list active;	/* started, not finished */
	struct pgquery_list failed;	/* to be reported by the next turn */
	struct event *ev_again, *ev_sweep, *ev_trim, *ev_turn;
	bool sweeping, turn_wanted;
	int active_count;
	struct shed shed;
	int64_t shed_told_ns;
	int silent_ms;			/* the longest silence of a connection with statements in flight */
	int64_t slow_until_ns[S_COUNT];	/* of statements that were stuck recently, see db_slow(); 0: quick */
	const char *channel;		/* db_listen(); NULL: none */
	void (*on_notice)(void *arg);
	void *notice_arg;
	struct db_name *names;		/* names.c */
	struct authors *authors;	/* author.c */
	uint64_t name_changes;		/* how often a name may have changed since the start */
};

/* Runs the deferred completions in a later turn. */
void db_again(struct db *db);
/* Something waits for db_turn(): if the hook of this turn already ran, the loop makes another turn. */
void db_want_turn(struct db *db);
/* While anything is waiting, deadlines and silent connections are checked every DB_SWEEP_MS. */
void db_arm_sweep(struct db *db);

struct pgconn;
/* pgconn_tick(), and db->silent_ms. */
void db_tick(struct db *db, struct pgconn *conn);

/* The statement was stuck recently (a lock, or slow itself): it must not share a connection with others. */
bool db_slow(struct db *db, const struct stmt *stmt);
void db_slow_set(struct db *db, const struct stmt *stmt, bool slow);

static inline void db_count(struct db *db, enum shm_metric m, int64_t n)
{
	if (db->shm != NULL)
		shm_count(db->shm, m, n);
}

#endif

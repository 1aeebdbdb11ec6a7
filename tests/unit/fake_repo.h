/* SPDX-License-Identifier: ISC */
/*
 * Rooms without a database: replaces the repo functions that src/svc/room calls. Makefile.am lists them in
 * unit_LDFLAGS, and the linker redirects each call to the __wrap_ function here.
 *
 * A call waits in a queue until the test completes it, so the test decides what happens in between. The result is
 * computed at that moment from a small model of rooms, or is the failure that the test requested.
 */
#ifndef FAKE_REPO_H
#define FAKE_REPO_H

#include "db/repo/repo_message.h"
#include "db/repo/repo_room.h"

#define FAKE_ROOMS 16
#define FAKE_MEMBERS 8
#define FAKE_SAID 1024		/* messages that were appended through the fake */

enum fake_fn { FAKE_LOG, FAKE_HEAD, FAKE_HEADS, FAKE_JOIN, FAKE_APPEND, FAKE_FNS };

/* The log of a room has messages 1 .. last_seq with their seq as content, unless the test changes that. */
struct fake_room {
	int64_t id, last_seq, epoch;
	int64_t log_ends;		/* the log ends here; 0: it is complete */
	int64_t left_seq, left_user;	/* this entry is a change: the user left; 0: none */
	bool gone, closed;		/* closed: nobody may join */
	int64_t members[FAKE_MEMBERS];
	int members_count;
};

/* Empties the model and the queue. */
void fake_repo_init(void);
/* A room with epoch 1 and this log; user 1 is its only member. */
struct fake_room *fake_room(int64_t room_id, int64_t last_seq);
/* Calls that wait for completion, of one function. */
int fake_repo_waiting(enum fake_fn fn);
/* Calls since fake_repo_init(), completed or not. */
int fake_repo_calls(enum fake_fn fn);
/* `after` of the newest repo_room_log(). */
int64_t fake_repo_after(void);
/* The next `times` completions of this function are this error. */
void fake_repo_fail(enum fake_fn fn, enum pl_code code, int times);
/* Completes the oldest call of that function; false: none is waiting. */
bool fake_repo_run(enum fake_fn fn);
/* Completes all calls in their order, including those that are made meanwhile. */
void fake_repo_run_all(void);
/* What was appended to the room so far, as "user:content user:content". */
const char *fake_repo_said(int64_t room_id);

#endif

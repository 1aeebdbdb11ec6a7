/* SPDX-License-Identifier: ISC */
/*
 * The use cases of a worker on fake_repo.h: shared memory, an event base whose clock the test moves, the hub, chat, and
 * listeners that record what they receive.
 */
#ifndef FAKE_SVC_H
#define FAKE_SVC_H

#include "clock.h"
#include "fake_repo.h"
#include "svc/room/hub_rooms.h"

#define EAR_TEXT 65536

extern struct svc fake_svc;
extern struct hub *fake_hub;		/* fake_svc.hub */

/* For tcase_add_checked_fixture(). */
void fake_svc_setup(void);
void fake_svc_teardown(void);
/* A task of this user, which only the caller holds. */
struct pl_task *fake_task(int64_t user_id);
/* Moves the clock. Timers of libevent do not see it: fake_gap_timer() runs the hub's. */
void fake_skip_ms(int64_t ms);
void fake_gap_timer(void);

/*
 * A listener. `text` is what it received, separated by blanks: "head=10" (subscribed, recovered: "head=10,recovered"),
 * the seq of each log event, "reset=7", "stalled", "ended", "error=404".
 */
struct ear {
	struct hub_sub *sub;
	int room;			/* log events it still has room for */
	size_t used;
	struct ear *silences;		/* when it is reset, it unsubscribes this one */
	char text[EAR_TEXT];
};

/* Subscribes user 1 and completes the head; since -1: live only. */
void ear_open(struct ear *ear, int64_t room_id, int64_t since);
/* The same without completing anything. */
void ear_ask(struct ear *ear, int64_t room_id, int64_t since, int64_t user_id);
void ear_close(struct ear *ear);
/* Clears what it received so far. */
void ear_clear(struct ear *ear);
/* Asserts that it received exactly this. */
void ear_heard(const struct ear *ear, const char *text);
/* Asserts that it received all of first .. last in order, and nothing else. */
void ear_heard_range(const struct ear *ear, int64_t first, int64_t last);

/* A message from the ring, with this many bytes of text. */
void fake_arrives(int64_t room_id, int64_t seq, size_t bytes);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The host names in setting `db`, looked up in a thread: getaddrinfo() may block for as long as a resolver takes, and
 * PQconnectStart() calls it. libpq gets the addresses as `hostaddr` beside the names, which TLS and passwords need.
 *
 * One thread at a time serves all connections of a process. Each new connection looks up again, unless the answer is
 * only a moment old.
 */
#ifndef DB_LOOKUP_H
#define DB_LOOKUP_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

struct lookup;

#define LOOKUP_TEXT_MAX 8192

/* Parameters of libpq, which tries them in turn; all "": the string says everything. */
struct lookup_found {
	char host[LOOKUP_TEXT_MAX], hostaddr[LOOKUP_TEXT_MAX], port[LOOKUP_TEXT_MAX / 4];
	char why[512];			/* not "": no host has an address */
};

typedef void (lookup_fn)(void *arg, const struct lookup_found *found);
struct lookup_waiter {
	LIST_ENTRY(lookup_waiter) link;
	lookup_fn *done;
	void *arg;
	unsigned first;			/* begin with this address: one more after each that did not respond */
	bool waiting;
};

struct lookup *lookup_new(struct event_base *base);
/* Nobody may wait any more. A thread that still runs ends by itself. Clears *lookup. */
void lookup_free(struct lookup **lookup);
/*
 * Where does this connection string lead now, with libpq's environment variables and services? NULL: done(arg, found)
 * comes later, from the loop, unless lookup_cancel() comes first. What is given is valid until the next call.
 */
const struct lookup_found *lookup_start(struct lookup *lookup, const char *conninfo, struct lookup_waiter *waiter);
/* Also when nothing is under way. */
void lookup_cancel(struct lookup_waiter *waiter);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The host names in setting `db`, looked up in a thread: getaddrinfo() may block for as long as a resolver takes, and
 * PQconnectStart() calls it. libpq gets the addresses as `hostaddr` beside the names, which TLS and passwords need.
 *
 * One thread at a time serves all connections of a process. Each new connection repeats the lookup, unless the result
 * is very recent.
 */
#ifndef DB_LOOKUP_H
#define DB_LOOKUP_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

struct lookup;

#define LOOKUP_TEXT_MAX 8192

/* Parameters for libpq, which tries them in turn; all "": the connection string is sufficient. */
struct lookup_found {
	char host[LOOKUP_TEXT_MAX], hostaddr[LOOKUP_TEXT_MAX], port[LOOKUP_TEXT_MAX / 4];
	char why[512];			/* not "": no host has an address */
};

typedef void (lookup_fn)(void *arg, const struct lookup_found *found);
struct lookup_waiter {
	LIST_ENTRY(lookup_waiter) link;
	lookup_fn *done;
	void *arg;
	unsigned first;			/* start with this address; +1 after each one that did not respond */
	bool waiting;
};

struct lookup *lookup_new(struct event_base *base);
/* There must be no waiters. A running thread ends by itself. Clears *lookup. */
void lookup_free(struct lookup **lookup);
/*
 * The current addresses of a connection string, with the environment variables and services of libpq. NULL: done(arg,
 * found) is called later, from the loop, unless lookup_cancel() is called first. The result is valid until the next
 * call.
 */
const struct lookup_found *lookup_start(struct lookup *lookup, const char *conninfo, struct lookup_waiter *waiter);
/* May also be called if nothing is in progress. */
void lookup_cancel(struct lookup_waiter *waiter);

#endif

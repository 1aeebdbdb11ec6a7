/* SPDX-License-Identifier: ISC */
/*
 * Work that outlives a call: a request, a socket's send, a generation, a timer's job.
 *
 * db, net/httpc, llm and svc take a task, never an HTTP request. A task is counted: an operation in flight holds it
 * (pl_task_hold) and releases it after its completion ran; the pool dies with the last release. Every asynchronous
 * operation completes exactly once, never before the starting call returned - also when the task was cancelled and on
 * shutdown; the completion of a cancelled task gets PL_E_CANCELLED, or the result if it arrived first.
 */
#ifndef PL_TASK_H
#define PL_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "gcra.h"
#include "pool.h"
#include "str.h"

#define PL_REQUEST_ID_LEN 32

/* Who is asking. user_id 0 = nobody (yet). */
struct pl_caller {
	int64_t user_id;
	int64_t login_id;	/* login session (table login_sessions) */
	int64_t token_until_s;	/* Unix time at which the access token ends */
	unsigned scopes;	/* of an API key, whose number is login_id then; 0: not a key */
	uint64_t key_epoch;	/* of an API key: see shm_keys_epoch() */
	uint64_t signed_by;	/* number of the key that a token or ticket was verified with (keyring.h) */
	struct pl_rate key_rate; /* of an API key: its own limit; burst 0: none */
	int access;		/* enum: 0 user, 1 analyst, 2 operator, 3 admin */
	char name[33];		/* user name */
	char addr[46];		/* text address of the client behind trusted proxies; "unix" for unix sockets */
};

/*
 * The Idempotency-Key of the request that a task serves. The writes of the task send it to PostgreSQL, which records in
 * the same transaction that the work was done. `id` is unique to the key and may become the id of the object that the
 * request creates.
 */
struct pl_once {
	int64_t user_id;		/* 0: nobody */
	int64_t claim;			/* which attempt at the work this is */
	struct pl_str route, key;
	char id[37];			/* a UUID */
};

struct pl_task {
	struct pl_pool *pool;
	int64_t deadline_ns;		/* pl_now_ns() time; INT64_MAX = none */
	int64_t started_ns;
	bool cancelled;
	int holds;
	char request_id[PL_REQUEST_ID_LEN + 1];
	struct pl_caller who;
	int64_t sql_ns;			/* time spent waiting for PostgreSQL, for traces */
	struct pl_cancel *cancels;	/* run by pl_task_cancel() */
	const struct pl_once *once;	/* NULL: none */
	void *owner;			/* of the creator (struct req, struct ws_conn ...); opaque to others */
};

/* A hook that pl_task_cancel() calls once; embed it in the operation's struct; unhook when the operation is done. */
struct pl_cancel {
	void (*fn)(void *arg);
	void *arg;
	struct pl_cancel *next;
};

/* A new task with one hold and a fresh random request id (32 hex digits). deadline_ns absolute. */
struct pl_task *pl_task_new(int64_t deadline_ns);
struct pl_task *pl_task_hold(struct pl_task *task);
/* Clears *task. The last release frees the pool and the task in it. */
void pl_task_release(struct pl_task **task);
/* Sets cancelled, runs and removes the hooks. A second call does nothing. */
void pl_task_cancel(struct pl_task *task);
void pl_task_on_cancel(struct pl_task *task, struct pl_cancel *hook, void (*fn)(void *arg), void *arg);
void pl_task_unhook(struct pl_task *task, struct pl_cancel *hook);
bool pl_task_late(const struct pl_task *task);	/* the deadline has passed */

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Password hashes computed in another process, so that a login's 20 ms of CPU delay nobody else.
 *
 * Client side: bounded queue, one answer per job, exactly once, never before the call returned. The hasher's death
 * makes all waiting jobs fail with PL_E_UNAVAILABLE (retry). With `single` the hash is computed inline, from a later
 * turn.
 */
#ifndef CORE_HASHER_H
#define CORE_HASHER_H

#include <event2/event.h>

#include "core/settings.h"
#include "core/shm.h"
#include "err.h"
#include "passwd.h"
#include "task.h"

struct hasher_client;

/* fds: this worker slot's end of each hasher's socketpair. count 0: inline. */
struct hasher_client *hasher_client_new(struct event_base *base, const int *fds, int count, uint32_t slot_generation);
void hasher_client_config(struct hasher_client *client, const struct config *config);
/* The master said that hasher `index` died and was (or will be) started again. */
void hasher_client_died(struct hasher_client *client, int index);
void hasher_client_free(struct hasher_client **client);

struct hash_result { bool good, rehash; char encoded[PL_PASSWD_HASH_MAX]; };
typedef void (hash_fn)(void *arg, const struct hash_result *result, const struct pl_err *err);

/* Errors: PL_E_BUSY (queue full, retry_after 1), PL_E_UNAVAILABLE (hasher died), PL_E_DEADLINE, PL_E_CANCELLED. */
void hasher_hash(struct hasher_client *client, struct pl_task *task, struct pl_str password, hash_fn *done, void *arg);
/* encoded absent: costs the same, good = false. */
void hasher_verify(struct hasher_client *client, struct pl_task *task, struct pl_str password, struct pl_str encoded,
    hash_fn *done, void *arg);

/*
 * The process itself: serves the sockets until the master's channel closes. Returns the exit status. Four times a
 * second it writes into *beat that it lives, also in the middle of a job.
 */
int hasher_run(const int *fds, int count, int channel_fd, struct shm_beat *beat);

#endif

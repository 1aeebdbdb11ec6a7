/* SPDX-License-Identifier: ISC */
/*
 * Password hashes are computed in a separate process, so that the 20 ms of CPU of a login do not delay other clients.
 *
 * Client side: a bounded queue. Each job gets exactly one answer, never before the starting function returned. If the
 * hasher dies, all waiting jobs fail with PL_E_UNAVAILABLE and may be retried. With `single` the hash is computed
 * inline, from a later turn.
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

/* fds: the end of this worker slot of the socket pair with each hasher. count 0: inline. */
struct hasher_client *hasher_client_new(struct event_base *base, const int *fds, int count, uint32_t slot_generation);
void hasher_client_config(struct hasher_client *client, const struct config *config);
/* The master reported that hasher `index` died and was (or will be) restarted. */
void hasher_client_died(struct hasher_client *client, int index);
void hasher_client_free(struct hasher_client **client);

struct hash_result { bool good, rehash; char encoded[PL_PASSWD_HASH_MAX]; };
typedef void (hash_fn)(void *arg, const struct hash_result *result, const struct pl_err *err);

/* Errors: PL_E_BUSY (queue full, retry_after 1), PL_E_UNAVAILABLE (hasher died), PL_E_DEADLINE, PL_E_CANCELLED. */
void hasher_hash(struct hasher_client *client, struct pl_task *task, struct pl_str password, hash_fn *done, void *arg);
/* encoded absent: takes the same time, good = false. */
void hasher_verify(struct hasher_client *client, struct pl_task *task, struct pl_str password, struct pl_str encoded,
    hash_fn *done, void *arg);

/*
 * The process itself: serves the sockets until the master's channel closes. Returns the exit status. It updates *beat
 * four times a second, also in the middle of a job, to show that it is alive.
 */
int hasher_run(const int *fds, int count, int channel_fd, struct shm_beat *beat);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Password hashing, seen from a worker.
 *
 * A job is queued (its packet was not sent yet), out (sent to a hasher), or over. When it is over its result is known;
 * the next loop turn completes it, so never before the starting call returned. A canceled or late job is over at once,
 * and the hasher's answer to it is ignored.
 */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "core/hasher_wire.h"
#include "core/worker.h"
#include "leaf.h"

#define OUT_MAX 4		/* maximum number of jobs at one hasher; jobs that were not sent can be canceled
				 * without cost */

enum job_state { JOB_QUEUED, JOB_OUT, JOB_OVER };

struct job {
	struct hasher_client *client;
	struct job *next;
	enum job_state state;
	int hasher;
	struct pl_task *task;
	struct pl_cancel cancel;
	struct event *late;
	hash_fn *done;
	void *arg;
	struct pl_err err;
	bool failed;
	struct hash_result result;
	struct hash_job packet;
};

struct peer {
	struct hasher_client *client;
	int fd, out;
	struct event *readable;
};

struct hasher_client {
	struct event_base *base;
	uint32_t generation;
	uint64_t last_id;
	struct pl_passwd_cost cost;
	int64_t queue_max;
	struct job *first, **end;	/* in the order of arrival */
	int count;			/* jobs that are not over */
	struct peer peers[SHM_HASHERS_MAX];
	int peers_count;
	struct event *later;
};

static void count_metric(enum shm_metric metric)
{
	if (worker_this != NULL)
		shm_count(worker_this->shm, metric, 1);
}

static void turn_later(struct hasher_client *client)
{
	struct timeval now = { 0 };

	if (!evtimer_pending(client->later, NULL))
		evtimer_add(client->later, &now);
}

/* Frees the password together with the state, because it is no longer required. */
static void job_over(struct job *job, enum pl_code code)
{
	struct hasher_client *client = job->client;

	if (job->state == JOB_OVER)
		return;
	if (job->state == JOB_OUT && job->hasher >= 0)
		client->peers[job->hasher].out--;
	job->state = JOB_OVER;
	client->count--;
	pl_wipe(job->packet.password, sizeof(job->packet.password));
	job->failed = code != PL_E_OK;
	if (job->failed)
		pl_err_set(&job->err, code, NULL);
	if (code == PL_E_BUSY || code == PL_E_UNAVAILABLE)
		job->err.retry_after_s = 1;
	turn_later(client);
}

static void on_cancel(void *arg)
{
	job_over(arg, PL_E_CANCELLED);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	job_over(arg, PL_E_DEADLINE);
}

static void job_complete(struct job *job)
{
	struct pl_task *task = job->task;

	pl_task_unhook(task, &job->cancel);
	if (job->late != NULL)
		event_free(job->late);
	job->done(job->arg, job->failed ? NULL : &job->result, job->failed ? &job->err : NULL);
	pl_task_release(&task);
	pl_wipe(job, sizeof(*job));
	pl_free(job);
}

/* Removes the job from the list before it calls `done`, which may start the next job. */
static void complete_over(struct hasher_client *client)
{
	struct job *over = NULL, **over_end = &over, **at = &client->first;

	while (*at != NULL) {
		struct job *job = *at;

		if (job->state != JOB_OVER) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		job->next = NULL;
		*over_end = job;
		over_end = &job->next;
	}
	client->end = at;
	while (over != NULL) {
		struct job *job = over;

		over = job->next;
		job_complete(job);
	}
}

static struct job *find_out(struct hasher_client *client, uint64_t id)
{
	for (struct job *job = client->first; job != NULL; job = job->next)
		if (job->packet.id == id && job->state == JOB_OUT)
			return job;
	return NULL;
}

static void take_answer(struct job *job, const struct hash_answer *answer)
{
	job->result.good = answer->good != 0;
	job->result.rehash = answer->rehash != 0;
	memcpy(job->result.encoded, answer->encoded, sizeof(job->result.encoded));
	job->result.encoded[sizeof(job->result.encoded) - 1] = '\0';
	count_metric(SHM_M_hash_jobs);
	job_over(job, answer->failed ? PL_E_UNAVAILABLE : PL_E_OK);
}

static void compute_here(struct hasher_client *client)
{
	struct hash_answer answer;

	for (struct job *job = client->first; job != NULL; job = job->next) {
		if (job->state != JOB_QUEUED)
			continue;
		hash_compute(&job->packet, &answer);
		take_answer(job, &answer);
		return;		/* one per turn, so that other work can run */
	}
}

static int idlest(const struct hasher_client *client)
{
	int best = 0;

	for (int i = 1; i < client->peers_count; i++)
		if (client->peers[i].out < client->peers[best].out)
			best = i;
	return best;
}

static void send_queued(struct hasher_client *client)
{
	for (struct job *job = client->first; job != NULL; job = job->next) {
		int at = idlest(client);
		struct peer *peer = &client->peers[at];

		if (job->state != JOB_QUEUED)
			continue;
		if (peer->out >= OUT_MAX || send(peer->fd, &job->packet, HASH_JOB_BYTES(&job->packet),
		    MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;	/* an answer, or the end of the hasher, comes first */
		pl_wipe(job->packet.password, sizeof(job->packet.password));
		job->state = JOB_OUT;
		job->hasher = at;
		peer->out++;
	}
}

static bool any_queued(const struct hasher_client *client)
{
	for (const struct job *job = client->first; job != NULL; job = job->next)
		if (job->state == JOB_QUEUED)
			return true;
	return false;
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct hasher_client *client = arg;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (client->peers_count == 0)
		compute_here(client);
	complete_over(client);
	if (client->peers_count == 0) {
		if (any_queued(client))
			turn_later(client);
	} else {
		send_queued(client);
	}
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	struct hasher_client *client = peer->client;
	struct hash_answer answer;

	PL_UNUSED(what);
	while (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) == (ssize_t)sizeof(answer)) {
		struct job *job = answer.generation == client->generation ? find_out(client, answer.id) : NULL;

		if (job != NULL)
			take_answer(job, &answer);
	}
	pl_wipe(&answer, sizeof(answer));
	turn_later(client);
}

struct hasher_client *hasher_client_new(struct event_base *base, const int *fds, int count, uint32_t slot_generation)
{
	struct hasher_client *client = pl_new(sizeof(*client));

	PL_BUG(count > SHM_HASHERS_MAX);
	client->base = base;
	client->generation = slot_generation;
	client->end = &client->first;
	client->later = evtimer_new(base, on_later, client);
	client->queue_max = 32;
	client->cost = (struct pl_passwd_cost){ .passes = 2, .memory_kib = 19456, .lanes = 1 };
	client->peers_count = count;
	for (int i = 0; i < count; i++) {
		struct peer *peer = &client->peers[i];

		*peer = (struct peer){ .client = client, .fd = fds[i] };
		peer->readable = event_new(base, fds[i], EV_READ | EV_PERSIST, on_answer, peer);
		PL_BUG(peer->readable == NULL || event_add(peer->readable, NULL) != 0);
	}
	return client;
}

void hasher_client_config(struct hasher_client *client, const struct config *config)
{
	client->cost.passes = (uint32_t)config->s.argon2_passes;
	client->cost.memory_kib = (uint32_t)(config->s.argon2_memory / 1024);
	client->queue_max = config->s.hasher_queue;
}

void hasher_client_died(struct hasher_client *client, int index)
{
	for (struct job *job = client->first; job != NULL; job = job->next)
		if (job->state == JOB_OUT ? job->hasher == index : job->state == JOB_QUEUED && client->peers_count == 1)
			job_over(job, PL_E_UNAVAILABLE);
	if (index >= 0 && index < client->peers_count)
		client->peers[index].out = 0;
	turn_later(client);
}

void hasher_client_free(struct hasher_client **client)
{
	struct hasher_client *gone = *client;

	*client = NULL;
	if (gone == NULL)
		return;
	while (gone->first != NULL) {	/* completions may start further jobs */
		for (struct job *job = gone->first; job != NULL; job = job->next)
			job_over(job, PL_E_CANCELLED);
		complete_over(gone);
	}
	for (int i = 0; i < gone->peers_count; i++)
		event_free(gone->peers[i].readable);
	event_free(gone->later);
	pl_free(gone);
}

static void set_deadline(struct job *job)
{
	int64_t left_ns = job->task->deadline_ns - pl_now_ns();
	struct timeval left = { 0 };

	if (job->task->deadline_ns == INT64_MAX)
		return;
	if (left_ns > 0) {
		left.tv_sec = left_ns / PL_NS_PER_S;
		left.tv_usec = left_ns % PL_NS_PER_S / 1000 + 1;
	}
	job->late = evtimer_new(job->client->base, on_late, job);
	evtimer_add(job->late, &left);
}

static struct job *job_new(struct hasher_client *client, struct pl_task *task, struct pl_str password, hash_fn *done,
    void *arg)
{
	struct job *job = pl_new(sizeof(*job));

	job->client = client;
	job->hasher = -1;
	job->task = pl_task_hold(task);
	job->done = done;
	job->arg = arg;
	job->packet.id = ++client->last_id;
	job->packet.generation = client->generation;
	job->packet.deadline_ns = task->deadline_ns;
	job->packet.cost = client->cost;
	if (password.ptr != NULL && password.len <= PL_PASSWD_MAX) {
		memcpy(job->packet.password, password.ptr, password.len);
		job->packet.password_bytes = (uint32_t)password.len;
	}
	*client->end = job;
	client->end = &job->next;
	client->count++;
	pl_task_on_cancel(task, &job->cancel, on_cancel, job);
	set_deadline(job);
	return job;
}

static void job_start(struct job *job)
{
	struct hasher_client *client = job->client;

	if (job->task->cancelled) {
		job_over(job, PL_E_CANCELLED);
	} else if (client->count > client->queue_max) {
		count_metric(SHM_M_hash_refused);
		job_over(job, PL_E_BUSY);
	}
	turn_later(client);
}

void hasher_hash(struct hasher_client *client, struct pl_task *task, struct pl_str password, hash_fn *done, void *arg)
{
	struct job *job = job_new(client, task, password, done, arg);

	job->packet.verb = HASH_MAKE;
	job_start(job);
}

void hasher_verify(struct hasher_client *client, struct pl_task *task, struct pl_str password, struct pl_str encoded,
    hash_fn *done, void *arg)
{
	struct job *job = job_new(client, task, password, done, arg);

	job->packet.verb = HASH_VERIFY;
	if (encoded.ptr != NULL && encoded.len < PL_PASSWD_HASH_MAX) {
		memcpy(job->packet.encoded, encoded.ptr, encoded.len);
		job->packet.has_encoded = 1;
	}
	job_start(job);
}

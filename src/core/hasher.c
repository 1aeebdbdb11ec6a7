/* SPDX-License-Identifier: ISC */
/*
 * The hasher process: reads jobs from the sockets of the workers, drops canceled ones, computes hashes, and answers.
 *
 * It runs with nice 19 and SCHED_BATCH, so that it only uses the time that workers leave. Its memory is limited, so
 * that a lack of memory ends only the hasher. It does one job at a time and serves the sockets in turn.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "core/channel.h"
#include "core/hasher_wire.h"
#include "core/proc.h"
#include "core/supervise.h"
#include "leaf.h"
#include "log.h"

#define SOCKETS_MAX 64
#define AHEAD 8				/* jobs read ahead from one socket */
#define DATA_SPARE_BYTES (96 << 20)	/* in addition to the memory of the hash */
#define LOWEST_PRIORITY 19
#define BEAT_NS (PL_NS_PER_S / 4)	/* the interval at which an idle worker's loop turns */
#define OVERDUE_NS (60 * PL_NS_PER_S)	/* a job that is this late hangs, and the watchdog may end the process */

/* One worker slot. */
struct lane {
	int fd;
	uint32_t generation;
	int first, count;
	struct hash_job ahead[AHEAD];
};

struct hasher {
	struct lane *lanes;
	int lanes_count, next, channel;
	uint32_t memory_kib;		/* the largest so far */
	bool done;
};

/* The data of the timer's handler. */
static struct { struct shm_beat *beat; _Atomic int64_t job_until_ns; } life;

static void beat_now(void)
{
	atomic_store(&life.beat->alive_ns, pl_now_ns());
}

/*
 * A job may take longer than the watchdog waits, so the timer keeps the process alive meanwhile. Between jobs, only
 * turns of the loop count.
 */
static void on_beat(int number)
{
	PL_UNUSED(number);
	if (pl_now_ns() < life.job_until_ns)
		beat_now();
}

/* alarm(2) and setitimer(2) are not available: proc_follow() uses them. */
static bool beat_start(struct shm_beat *beat)
{
	struct sigaction act = { .sa_handler = on_beat, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec often = { .it_interval = { .tv_nsec = BEAT_NS }, .it_value = { .tv_nsec = BEAT_NS } };
	timer_t timer;

	life.beat = beat;
	beat_now();
	return sigaction(SIGRTMIN, &act, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
	    timer_settime(timer, 0, &often, NULL) == 0;
}

void hash_compute(struct hash_job *job, struct hash_answer *answer_r)
{
	struct pl_str password = pl_strn(job->password, job->password_bytes);
	bool rehash = false;

	memset(answer_r, 0, sizeof(*answer_r));
	answer_r->id = job->id;
	answer_r->generation = job->generation;
	if (job->verb == HASH_MAKE) {
		answer_r->good = pl_passwd_hash(password, job->cost, answer_r->encoded);
		answer_r->failed = !answer_r->good;
	} else {
		answer_r->good = pl_passwd_verify(password, job->has_encoded ? pl_str(job->encoded) : PL_STR_NONE,
		    job->cost, &rehash);
		answer_r->rehash = rehash;
	}
	pl_wipe(job->password, sizeof(job->password));
}

static bool job_sane(const struct hash_job *job, ssize_t bytes)
{
	if (bytes < (ssize_t)offsetof(struct hash_job, password) || job->password_bytes > PL_PASSWD_MAX)
		return false;
	return (size_t)bytes == HASH_JOB_BYTES(job) && (job->verb == HASH_MAKE || job->verb == HASH_VERIFY) &&
	    memchr(job->encoded, '\0', sizeof(job->encoded)) != NULL;
}

static void lane_clear(struct lane *lane)
{
	pl_wipe(lane->ahead, sizeof(lane->ahead));
	lane->first = lane->count = 0;
}

/* Reads the jobs in the socket. A new generation drops the jobs of the previous one. false: the socket is closed. */
static bool lane_fill(struct lane *lane)
{
	while (lane->count < AHEAD) {
		struct hash_job *job = &lane->ahead[(lane->first + lane->count) % AHEAD], moved;
		ssize_t got = recv(lane->fd, job, sizeof(*job), MSG_DONTWAIT);

		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		if (!job_sane(job, got) || (int32_t)(job->generation - lane->generation) < 0)
			continue;
		if (job->generation == lane->generation) {
			lane->count++;
			continue;
		}
		moved = *job;
		lane_clear(lane);
		lane->ahead[0] = moved;
		pl_wipe(&moved, sizeof(moved));
		lane->generation = lane->ahead[0].generation;
		lane->count = 1;
	}
	return true;
}

/* Limits memory to that of the hash and a reserve. DATA counts private memory only, not the shared segment. */
static void limit_memory(struct hasher *h, const struct hash_job *job)
{
#if !defined(__SANITIZE_ADDRESS__)
	const char *had = job->has_encoded ? strstr(job->encoded, "m=") : NULL;
	uint32_t memory_kib = job->cost.memory_kib;
	struct rlimit data;

	if (had != NULL && strtoul(had + 2, NULL, 10) > memory_kib)	/* the hash was made when the setting was
									 * higher */
		memory_kib = (uint32_t)strtoul(had + 2, NULL, 10);
	if (memory_kib <= h->memory_kib || getrlimit(RLIMIT_DATA, &data) != 0)
		return;
	h->memory_kib = memory_kib;
	data.rlim_cur = (rlim_t)memory_kib * 1024 + DATA_SPARE_BYTES;
	if (data.rlim_cur <= data.rlim_max && setrlimit(RLIMIT_DATA, &data) != 0)
		pl_log(PL_LOG_WARN, NULL, "memory is not limited", "why=%s", strerror(errno));
#else
	PL_UNUSED(h);
	PL_UNUSED(job);
#endif
}

static void serve(struct hasher *h, struct lane *lane)
{
	struct hash_job *job = &lane->ahead[lane->first];
	struct hash_answer answer;

	lane->first = (lane->first + 1) % AHEAD;
	lane->count--;
	if (pl_now_ns() >= job->deadline_ns) {
		pl_wipe(job, sizeof(*job));
		return;
	}
	limit_memory(h, job);
	life.job_until_ns = job->deadline_ns < INT64_MAX - OVERDUE_NS ? job->deadline_ns + OVERDUE_NS : INT64_MAX;
	hash_compute(job, &answer);
	life.job_until_ns = 0;
	/* a worker has fewer jobs here than its socket can hold answers, so a full socket means that it has died */
	if (send(lane->fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		pl_log(PL_LOG_DEBUG, NULL, "answer dropped", "why=%s", strerror(errno));
	pl_wipe(&answer, sizeof(answer));
}

/* Does one job of the next socket that has jobs. false: there is none. */
static bool serve_one(struct hasher *h)
{
	for (int i = 0; i < h->lanes_count; i++) {
		struct lane *lane = &h->lanes[(h->next + i) % h->lanes_count];

		if (lane->fd >= 0 && !lane_fill(lane)) {
			close(lane->fd);
			lane->fd = -1;
			lane_clear(lane);
		}
		if (lane->count == 0)
			continue;
		h->next = (h->next + i + 1) % h->lanes_count;
		serve(h, lane);
		return true;
	}
	return false;
}

static void obey(struct hasher *h, const struct channel_msg *msg, int fd)
{
	struct config *fresh;
	char why[512];

	if (msg->kind == CHANNEL_RELOAD) {
		fresh = reload_unpack(fd, why);
		if (fresh == NULL || !proc_log_open(fresh, why))
			pl_log(PL_LOG_WARN, NULL,
			    "cannot open the new log file; the previous one stays in use", "why=%s", why);
		config_release(&fresh);
		return;
	}
	if (msg->kind == CHANNEL_REOPEN)
		pl_log_reopen();
	if (msg->kind == CHANNEL_DRAIN)
		h->done = true;
	if (fd >= 0)
		close(fd);
}

static void hear(struct hasher *h)
{
	struct channel_msg msg;
	enum channel_got got;
	int passed;

	while ((got = channel_recv(h->channel, &msg, &passed)) == CHANNEL_MSG)
		obey(h, &msg, passed);
	if (got == CHANNEL_GONE)
		h->done = true;
}

static void await(struct hasher *h, struct pollfd *polls)
{
	polls[0] = (struct pollfd){ .fd = h->channel, .events = POLLIN };
	for (int i = 0; i < h->lanes_count; i++)
		polls[i + 1] = (struct pollfd){ .fd = h->lanes[i].fd, .events = POLLIN };
	if (poll(polls, (nfds_t)h->lanes_count + 1, -1) < 0 && errno != EINTR)
		h->done = true;
}

static void humble(void)
{
	struct sched_param param = { 0 };
	struct rlimit none = { 0 };

	if (setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY) != 0 || sched_setscheduler(0, SCHED_BATCH, &param) != 0)
		pl_log(PL_LOG_WARN, NULL, "priority stays", "why=%s", strerror(errno));
	setrlimit(RLIMIT_CORE, &none);
}

int hasher_run(const int *fds, int count, int channel_fd, struct shm_beat *beat)
{
	struct channel_msg up = { .kind = CHANNEL_UP };
	struct pollfd polls[SOCKETS_MAX + 1];
	struct hasher h = { .channel = channel_fd, .lanes_count = count < SOCKETS_MAX ? count : SOCKETS_MAX };

	h.lanes = pl_new((size_t)h.lanes_count * sizeof(*h.lanes));
	for (int i = 0; i < h.lanes_count; i++)
		h.lanes[i].fd = fds[i];
	shm_count_dropped(NULL);
	humble();
	if (!beat_start(beat) || !channel_send(channel_fd, &up, -1)) {
		pl_log(PL_LOG_ERROR, NULL, "start failed", "why=%s", strerror(errno));
		h.done = true;
	}
	while (!h.done) {
		beat_now();
		shm_count_dropped(&beat->log_dropped);
		hear(&h);
		if (!h.done && !serve_one(&h))
			await(&h, polls);
	}
	for (int i = 0; i < h.lanes_count; i++)
		lane_clear(&h.lanes[i]);
	pl_free(h.lanes);
	return 0;
}

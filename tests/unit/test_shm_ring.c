/* SPDX-License-Identifier: ISC */
/*
 * core/shm_ring.c and shm_ring_read.c: order, masks, laps, wake-ups, and what remains when a process is killed.
 */
#include <poll.h>

#include "shm_fixture.h"

Suite *suite_shm_ring(void);

/* What a reader received. */
struct seen {
	int events, laps, bad;
	uint64_t last;		/* number of the last event */
	bool gap;		/* a number was skipped without a lap before it */
	bool lapped;
	uint32_t kind;
	size_t len;
	char text[64];
};

static void on_event(void *arg, int from_slot, uint32_t kind, struct pl_str data)
{
	struct seen *seen = arg;

	seen->events++;
	seen->kind = kind;
	seen->len = data.len;
	memcpy(seen->text, data.ptr, data.len < 63 ? data.len : 63);
	seen->text[data.len < 63 ? data.len : 63] = '\0';
}

static void on_lapped(void *arg, int from_slot)
{
	struct seen *seen = arg;

	seen->laps++;
	seen->lapped = true;
}

static const struct shm_mask to_zero = { { 1, 0, 0 } };

START_TEST(test_post_and_read)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_ring_post(b, &to_zero, 1, PL_STR("old"), PL_STR_NONE);
	shm_reader_init(&reader, a);
	ck_assert(!shm_reader_run(&reader, a, 10, on_event, on_lapped, &seen));
	ck_assert_int_eq(seen.events, 0);
	shm_ring_post(b, &to_zero, 7, PL_STR("head "), PL_STR("body"));
	shm_ring_post(b, &(struct shm_mask){ { 4, 1, 0 } }, 8, PL_STR("for others"), PL_STR_NONE);
	shm_ring_post(b, &(struct shm_mask){ { 0 } }, 8, PL_STR("for nobody"), PL_STR_NONE);
	ck_assert(!shm_reader_run(&reader, a, 10, on_event, on_lapped, &seen));
	ck_assert_int_eq(seen.events, 1);
	ck_assert_uint_eq(seen.kind, 7);
	ck_assert_str_eq(seen.text, "head body");
	shm_ring_post(b, &to_zero, 9, PL_STR(""), PL_STR_NONE);
	shm_reader_run(&reader, a, 10, on_event, on_lapped, &seen);
	ck_assert_int_eq(seen.events, 2);
	ck_assert_uint_eq(seen.len, 0);
	ck_assert_int_eq(seen.laps, 0);
	shm_reader_fini(&reader);
}
END_TEST

START_TEST(test_budget_tells_of_more)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1), *c = fixture_take(2);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	for (int i = 0; i < 5; i++) {
		shm_ring_post(b, &to_zero, 1, PL_STR("b"), PL_STR_NONE);
		shm_ring_post(c, &to_zero, 1, PL_STR("c"), PL_STR_NONE);
	}
	ck_assert(shm_reader_run(&reader, a, 4, on_event, on_lapped, &seen));
	ck_assert_int_eq(seen.events, 4);
	ck_assert(shm_reader_run(&reader, a, 4, on_event, on_lapped, &seen));
	ck_assert(!shm_reader_run(&reader, a, 4, on_event, on_lapped, &seen));
	ck_assert_int_eq(seen.events, 10);
	shm_reader_fini(&reader);
}
END_TEST

/* Events of all sizes end everywhere around the wrap; every byte is checked. */
START_TEST(test_wrap_keeps_bytes)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	static char text[SHM_EVENT_MAX];
	struct shm_reader reader;

	shm_reader_init(&reader, a);
	for (int i = 0; i < 400; i++) {
		uint32_t len = i % 50 == 0 ? SHM_EVENT_MAX : (uint32_t)(i * 7919) % 5000;
		uint64_t before = reader.cursor[1];
		struct seen seen = { 0 };

		for (uint32_t k = 0; k < len; k++)
			text[k] = (char)(i + k * 31);
		shm_ring_post(b, &to_zero, (uint32_t)i, pl_strn(text, len / 3), pl_strn(text + len / 3, len - len / 3));
		ck_assert(!shm_reader_run(&reader, a, 2, on_event, on_lapped, &seen));
		ck_assert_int_eq(seen.events, 1);
		ck_assert_uint_eq(seen.len, len);
		ck_assert_int_eq(memcmp(reader.copy, text, len), 0);
		ck_assert_uint_gt(reader.cursor[1], before);
	}
	ck_assert_uint_gt(reader.cursor[1], a->head->sizes.ring_bytes);
	shm_reader_fini(&reader);
}
END_TEST

START_TEST(test_overtaken_reader_is_told_once)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	static char text[60000];
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	for (int i = 0; i < 6; i++)
		shm_ring_post(b, &to_zero, 1, pl_strn(text, sizeof(text)), PL_STR_NONE);
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert_int_eq(seen.laps, 1);
	ck_assert_int_eq(seen.events, 0);
	ck_assert_int_eq(shm_sum(a, SHM_M_ring_laps), 1);
	shm_ring_post(b, &to_zero, 1, PL_STR("again"), PL_STR_NONE);
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert_int_eq(seen.laps, 1);
	ck_assert_str_eq(seen.text, "again");
	shm_reader_fini(&reader);
}
END_TEST

START_TEST(test_death_is_told_once)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	shm_ring_post(b, &to_zero, 1, PL_STR("last words"), PL_STR_NONE);
	ck_assert(shm_reader_sleep(&reader, a));
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert(!shm_reader_sleep(&reader, a));
	shm_ring_post(b, &to_zero, 1, PL_STR("very last"), PL_STR_NONE);
	shm_slot_died(fixture_shm, 1);
	ck_assert(shm_reader_sleep(&reader, a));
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert_int_eq(seen.laps, 1);
	ck_assert_str_eq(seen.text, "very last");
	b = fixture_take(1);
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	shm_ring_post(b, &to_zero, 1, PL_STR("successor"), PL_STR_NONE);
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert_str_eq(seen.text, "successor");
	ck_assert_int_eq(seen.laps, 1);
	shm_reader_fini(&reader);
}
END_TEST

/* Killed after it moved `reserve` and wrote into an event that a slow reader has not read. */
START_TEST(test_half_written_event_of_the_dead)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	uint32_t size = a->head->sizes.ring_bytes;
	struct shm_ring *ring = shm_ring_at(a, 1);
	static char text[32768 - sizeof(struct shm_event)];
	const struct shm_event false_event = { .bytes = 4064, .kind = 666, .mask = to_zero };
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	for (uint32_t i = 0; i < size / 32768; i++)
		shm_ring_post(b, &to_zero, i, pl_strn(text, sizeof(text)), PL_STR_NONE);
	atomic_fetch_add(&ring->reserve, 4096);
	memcpy(ring + 1, &false_event, sizeof(false_event));
	b = fixture_respawn(1);
	ck_assert_uint_eq(atomic_load(&ring->reserve), atomic_load(&ring->commit));
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	/* once for the death, once because the oldest event is damaged; never the incomplete one */
	ck_assert_int_eq(seen.laps, 2);
	ck_assert_int_eq(seen.events, 0);
	shm_ring_post(b, &to_zero, 1, PL_STR("fine"), PL_STR_NONE);
	shm_reader_run(&reader, a, 100, on_event, on_lapped, &seen);
	ck_assert_str_eq(seen.text, "fine");
	shm_reader_fini(&reader);
}
END_TEST

static bool is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

START_TEST(test_wake_ups)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	/* awake: nobody writes the eventfd, and the check before sleeping finds the event */
	shm_ring_post(b, &to_zero, 1, PL_STR("x"), PL_STR_NONE);
	shm_ring_kick(b);
	ck_assert(!is_readable(a->wake_fd[0]));
	ck_assert(shm_reader_sleep(&reader, a));
	shm_reader_run(&reader, a, 10, on_event, on_lapped, &seen);
	ck_assert(!shm_reader_sleep(&reader, a));
	/* asleep: a kick without a post has no effect, one with a post wakes, once */
	shm_ring_kick(b);
	ck_assert(!is_readable(a->wake_fd[0]));
	shm_ring_post(b, &to_zero, 1, PL_STR("x"), PL_STR_NONE);
	ck_assert(!is_readable(a->wake_fd[0]));
	shm_ring_kick(b);
	ck_assert(is_readable(a->wake_fd[0]));
	shm_reader_awake(&reader, a);
	ck_assert(!is_readable(a->wake_fd[0]));
	shm_ring_kick(b);
	ck_assert(!is_readable(a->wake_fd[0]));
	/* killed between post and kick: the master's sweep wakes */
	shm_reader_run(&reader, a, 10, on_event, on_lapped, &seen);
	ck_assert(!shm_reader_sleep(&reader, a));
	shm_ring_post(b, &to_zero, 1, PL_STR("x"), PL_STR_NONE);
	shm_slot_died(fixture_shm, 1);
	ck_assert(is_readable(a->wake_fd[0]));
	shm_reader_fini(&reader);
}
END_TEST

/* Numbered events of changing size; the text repeats the number. */
static void post_forever(struct shm *shm)
{
	static uint64_t words[300];

	for (uint64_t n = 1;; n++) {
		size_t count = 1 + n * 7 % 299;

		for (size_t i = 0; i < count; i++)
			words[i] = n;
		shm_ring_post(shm, &to_zero, (uint32_t)count, pl_strn((char *)words, 8),
		    pl_strn((char *)(words + 1), count * 8 - 8));
		shm_ring_kick(shm);
		if (n % 64 == 0)
			sched_yield();
	}
}

static void on_numbered(void *arg, int from_slot, uint32_t kind, struct pl_str data)
{
	struct seen *seen = arg;
	uint64_t first, word;

	memcpy(&first, data.ptr, 8);
	for (size_t i = 0; i < data.len; i += 8) {
		memcpy(&word, data.ptr + i, 8);
		seen->bad += word != first;
	}
	seen->bad += data.len != (size_t)kind * 8;
	if (!seen->lapped && first != seen->last + 1)
		seen->gap = true;
	seen->lapped = false;
	seen->last = first;
	seen->events++;
}

START_TEST(test_writer_killed_in_mid_stream)
{
	struct shm *a = fixture_take(0);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	for (int round = 0; round < 40; round++) {
		int until = seen.events + 50 + round * 10, laps;
		pid_t pid = fixture_fork(1, post_forever);

		/* a new life counts from 1 again, which is detected by a lap */
		seen.lapped = true;
		while (seen.events < until)
			shm_reader_run(&reader, a, 20, on_numbered, on_lapped, &seen);
		fixture_kill(pid);
		shm_slot_died(fixture_shm, 1);
		laps = seen.laps;
		while (shm_reader_run(&reader, a, 20, on_numbered, on_lapped, &seen))
			;
		ck_assert_int_gt(seen.laps, laps);
		ck_assert_int_eq(seen.bad, 0);
		ck_assert(!seen.gap);
	}
	shm_reader_fini(&reader);
}
END_TEST

static void read_forever(struct shm *shm)
{
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, shm);
	seen.lapped = true;
	for (;;) {
		shm_reader_run(&reader, shm, 5, on_numbered, on_lapped, &seen);
		if (!shm_reader_sleep(&reader, shm))
			shm_reader_awake(&reader, shm);
	}
}

/* Readers die at every place; the others continue, and the writer never waits. */
START_TEST(test_reader_killed_in_mid_stream)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	const struct shm_mask both = { { 5, 0, 0 } };
	struct shm_reader reader;
	struct seen seen = { 0 };
	uint64_t n = 0;

	shm_reader_init(&reader, a);
	for (int round = 0; round < 20; round++) {
		pid_t pid = fixture_fork(2, read_forever);

		while (!shm_slot_live(a, 2))
			sched_yield();
		for (int i = 0; i < 500; i++) {
			n++;
			shm_ring_post(b, &both, 1, pl_strn((char *)&n, 8), PL_STR_NONE);
			shm_ring_kick(b);
			shm_reader_run(&reader, a, 20, on_numbered, on_lapped, &seen);
			seen.bad += seen.last != n;
			if (i % 100 == round)
				sched_yield();
		}
		fixture_kill(pid);
		shm_slot_died(fixture_shm, 2);
		seen.laps = 0;
		shm_reader_run(&reader, a, 20, on_numbered, on_lapped, &seen);
		ck_assert_int_eq(seen.laps, 1);		/* of slot 2's death */
		seen.lapped = false;
	}
	ck_assert_int_eq(seen.bad, 0);
	ck_assert(!seen.gap);
	ck_assert_int_eq(seen.events, (int)n);
	shm_reader_fini(&reader);
}
END_TEST

/* Sleeps between two events: a lost wake-up would be a time-out of poll. */
static void answer_forever(struct shm *shm)
{
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, shm);
	shm_count(shm, SHM_M_ws_opened, 1);
	for (;;) {
		struct pollfd pfd = { .fd = shm->wake_fd[shm->slot], .events = POLLIN };

		while (shm_reader_run(&reader, shm, 8, on_event, on_lapped, &seen))
			;
		while (seen.events > 0) {
			shm_ring_post(shm, &to_zero, 1, PL_STR("pong"), PL_STR_NONE);
			seen.events--;
		}
		shm_ring_kick(shm);
		if (!shm_reader_sleep(&reader, shm))
			poll(&pfd, 1, -1);
		shm_reader_awake(&reader, shm);
	}
}

START_TEST(test_no_wake_up_is_lost)
{
	struct shm *a = fixture_take(0);
	pid_t pid = fixture_fork(1, answer_forever);
	struct shm_reader reader;
	struct seen seen = { 0 };

	shm_reader_init(&reader, a);
	while (atomic_load(&a->counters[1].metric[SHM_M_ws_opened]) == 0)
		sched_yield();
	for (int i = 0; i < 3000; i++) {
		shm_ring_post(a, &(struct shm_mask){ { 2, 0, 0 } }, 1, PL_STR("ping"), PL_STR_NONE);
		shm_ring_kick(a);
		while (seen.events <= i) {
			struct pollfd pfd = { .fd = a->wake_fd[0], .events = POLLIN };

			if (!shm_reader_sleep(&reader, a))
				ck_assert_int_eq(poll(&pfd, 1, 5000), 1);
			shm_reader_awake(&reader, a);
			shm_reader_run(&reader, a, 8, on_event, on_lapped, &seen);
		}
	}
	fixture_kill(pid);
	shm_reader_fini(&reader);
}
END_TEST

Suite *suite_shm_ring(void)
{
	const TTest *const tests[] = {
		test_post_and_read, test_budget_tells_of_more, test_wrap_keeps_bytes,
		test_overtaken_reader_is_told_once, test_death_is_told_once, test_half_written_event_of_the_dead,
		test_wake_ups, test_writer_killed_in_mid_stream, test_reader_killed_in_mid_stream,
		test_no_wake_up_is_lost,
	};

	return fixture_suite("shm_ring", tests, PL_COUNT(tests));
}

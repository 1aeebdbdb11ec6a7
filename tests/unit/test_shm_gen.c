/* SPDX-License-Identifier: ISC */
/*
 * core/shm_gen.c: running answers, their text for other processes, cancellation, orphans.
 */
#include <stdio.h>

#include "shm_fixture.h"

Suite *suite_shm_gen(void);

static struct shm_gen_info info_of(int64_t room)
{
	struct shm_gen_info info = { .room_id = room, .role_id = 2, .asker_id = 3, .reply_to_seq = 4 };

	pl_uuid_make(info.id);
	return info;
}

START_TEST(test_life_of_one)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info = info_of(9), got;
	static char text[64];
	int index = shm_gen_take(a, &info);

	ck_assert_int_ge(index, 0);
	ck_assert_int_eq(shm_gen_find(b, pl_str(info.id), &got), index);
	ck_assert_int_eq(got.state, SHM_GEN_QUEUED);
	ck_assert_int_eq(got.owner_slot, 0);
	ck_assert_int_eq(got.reply_to_seq, 4);
	shm_gen_state(a, index, SHM_GEN_RUNNING);
	ck_assert_uint_eq(shm_gen_append(a, index, "Hello, ", 7), 7);
	ck_assert_uint_eq(shm_gen_append(a, index, "world", 5), 5);
	ck_assert_int_eq(shm_gen_text(b, index, info.id, 0, text, sizeof(text)), 12);
	ck_assert_int_eq(memcmp(text, "Hello, world", 12), 0);
	ck_assert_int_eq(shm_gen_text(b, index, info.id, 7, text, sizeof(text)), 5);
	ck_assert_int_eq(shm_gen_text(b, index, info.id, 100, text, sizeof(text)), 0);
	ck_assert_int_eq(shm_gen_text(b, index, "another", 0, text, sizeof(text)), -1);
	ck_assert_int_eq(shm_gen_next(b, 9, 0, &got), index);
	ck_assert_int_eq(got.length, 12);
	ck_assert_int_eq(shm_gen_next(b, 9, index + 1, &got), -1);
	ck_assert_int_eq(shm_gen_next(b, 8, 0, &got), -1);
	shm_gen_state(a, index, SHM_GEN_ENDED);
	ck_assert_int_eq(shm_gen_next(b, 9, 0, &got), -1);
	ck_assert_int_eq(shm_gen_find(b, pl_str(info.id), &got), index);
	shm_gen_free(a, index, info.id);
	ck_assert_int_eq(shm_gen_find(b, pl_str(info.id), &got), -1);
	ck_assert_int_eq(shm_gen_text(b, index, info.id, 0, text, sizeof(text)), -1);
}
END_TEST

START_TEST(test_all_taken)
{
	struct shm *a = fixture_take(0);
	struct shm_gen_info infos[4];
	int index[4];

	for (int i = 0; i < 4; i++) {
		infos[i] = info_of(i);
		index[i] = shm_gen_take(a, &infos[i]);
		ck_assert_int_ge(index[i], 0);
	}
	ck_assert_int_eq(shm_gen_take(a, &(struct shm_gen_info){ .room_id = 1 }), -1);
	shm_gen_free(a, index[2], infos[2].id);
	ck_assert_int_eq(shm_gen_take(a, &(struct shm_gen_info){ .room_id = 1 }), index[2]);
}
END_TEST

/*
 * An answer that has ended keeps its text until its place is needed: then the one that ended first loses it, in any
 * process.
 */
START_TEST(test_lingering_places_are_taken)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info infos[4], more[3], got;
	static char text[64];
	int index[4];

	for (int i = 0; i < 4; i++) {
		infos[i] = info_of(i + 1);
		index[i] = shm_gen_take(i < 2 ? a : b, &infos[i]);
		shm_gen_append(i < 2 ? a : b, index[i], "text", 4);
	}
	for (int i = 0; i < 3; i++)
		more[i] = info_of(10 + i);
	shm_gen_state(b, index[2], SHM_GEN_ENDED);
	shm_gen_state(a, index[0], SHM_GEN_ENDED);
	ck_assert_int_eq(shm_gen_text(a, index[2], infos[2].id, 0, text, sizeof(text)), 4);
	ck_assert_int_eq(shm_gen_take(a, &more[0]), index[2]);
	ck_assert_int_eq(shm_gen_text(a, index[2], infos[2].id, 0, text, sizeof(text)), -1);
	ck_assert_int_eq(shm_gen_find(b, pl_str(more[0].id), &got), index[2]);
	ck_assert_uint_eq(got.length, 0);
	/* its own, too; the timers of answers that lost their places must not free the new answers */
	ck_assert_int_eq(shm_gen_take(a, &more[1]), index[0]);
	ck_assert_int_eq(shm_gen_take(a, &more[2]), -1);
	shm_gen_free(b, index[2], infos[2].id);
	shm_gen_free(a, index[0], infos[0].id);
	ck_assert_int_eq(shm_gen_take(a, &more[2]), -1);
	ck_assert_int_eq(shm_gen_find(b, pl_str(more[1].id), &got), index[0]);
}
END_TEST

START_TEST(test_cancel_of_a_session)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info infos[3] = { info_of(0), info_of(0), info_of(1) };
	char session[PL_UUID_LEN + 1];
	int index[3];

	pl_uuid_make(session);
	memcpy(infos[0].session, session, sizeof(session));
	pl_uuid_make(infos[1].session);
	for (int i = 0; i < 3; i++)
		index[i] = shm_gen_take(a, &infos[i]);
	shm_gen_cancel_session(b, session);
	ck_assert(shm_gen_cancelled(a, index[0]));
	ck_assert(!shm_gen_cancelled(a, index[1]));
	ck_assert(!shm_gen_cancelled(a, index[2]));
}
END_TEST

START_TEST(test_cancel_hits_only_that_one)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info first = info_of(1), second = info_of(1);
	int index = shm_gen_take(a, &first);

	ck_assert(!shm_gen_cancelled(a, index));
	ck_assert(shm_gen_cancel(b, index, first.id));
	ck_assert(shm_gen_cancelled(a, index));
	shm_gen_free(a, index, first.id);
	ck_assert(!shm_gen_cancel(b, index, first.id));
	ck_assert_int_eq(shm_gen_take(a, &second), index);
	ck_assert(!shm_gen_cancelled(a, index));
	ck_assert(!shm_gen_cancel(b, index, first.id));
	ck_assert(!shm_gen_cancelled(a, index));
}
END_TEST

struct orphans { int count; int64_t rooms, bytes; int state, slot; };

static void on_orphan(void *arg, const struct shm_gen_info *info, struct pl_str text)
{
	struct orphans *orphans = arg;

	orphans->count++;
	orphans->rooms += info->room_id;
	orphans->bytes += (int64_t)text.len;
	orphans->state = info->state;
	orphans->slot = info->owner_slot;
}

START_TEST(test_orphans_are_given_once)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info mine = info_of(10), lost = info_of(20), got;
	struct orphans orphans = { 0 };
	int index;

	ck_assert_int_ge(shm_gen_take(a, &mine), 0);
	index = shm_gen_take(b, &lost);
	shm_gen_state(b, index, SHM_GEN_RUNNING);
	shm_gen_append(b, index, "half", 4);
	shm_gen_orphans(a, on_orphan, &orphans);
	ck_assert_int_eq(orphans.count, 0);
	b = fixture_respawn(1);
	shm_gen_orphans(b, on_orphan, &orphans);
	shm_gen_orphans(a, on_orphan, &orphans);
	ck_assert_int_eq(orphans.count, 1);
	ck_assert_int_eq(orphans.rooms, 20);
	ck_assert_int_eq(orphans.bytes, 4);
	ck_assert_int_eq(orphans.state, SHM_GEN_RUNNING);
	ck_assert_int_eq(orphans.slot, 1);
	ck_assert_int_eq(shm_gen_find(a, pl_str(lost.id), &got), -1);
	ck_assert_int_ge(shm_gen_find(a, pl_str(mine.id), &got), 0);
}
END_TEST

static struct shm_gen_info killer_info;

static void die_in_sweep(void *arg, const struct shm_gen_info *info, struct pl_str text)
{
	kill(getpid(), SIGKILL);
}

static void sweep_and_die(struct shm *shm)
{
	shm_gen_orphans(shm, die_in_sweep, NULL);
}

START_TEST(test_sweeper_killed_in_the_sweep)
{
	struct shm *a = fixture_take(0);
	struct orphans orphans = { 0 };
	pid_t pid;

	killer_info = info_of(20);
	ck_assert_int_ge(shm_gen_take(fixture_take(1), &killer_info), 0);
	shm_slot_died(fixture_shm, 1);
	pid = fixture_fork(2, sweep_and_die);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	shm_slot_died(fixture_shm, 2);
	shm_gen_orphans(a, on_orphan, &orphans);
	ck_assert_int_eq(orphans.count, 1);
	ck_assert_int_eq(orphans.rooms, 20);
	ck_assert_int_eq(orphans.state, SHM_GEN_QUEUED);
	ck_assert_int_eq(orphans.slot, 1);
}
END_TEST

/* Answers of 20 equal letters in a room of that letter, created as fast as possible. */
static void answer_forever(struct shm *shm)
{
	for (int n = 0;; n++) {
		char letter = (char)('a' + n % 26), text[20];
		struct shm_gen_info info = info_of(letter);
		int index = shm_gen_take(shm, &info);

		memset(text, letter, sizeof(text));
		if (index < 0)
			_exit(1);
		for (int i = 0; i < 20; i += 5)
			shm_gen_append(shm, index, text, 5);
		shm_count(shm, SHM_M_llm_started, 1);
		shm_gen_free(shm, index, info.id);
	}
}

START_TEST(test_readers_during_reuse_and_kills)
{
	struct shm *a = fixture_take(0);
	static char text[64];
	struct orphans orphans = { 0 };

	for (int round = 0; round < 20; round++) {
		int64_t before = shm_sum(a, SHM_M_llm_started);
		pid_t pid = fixture_fork(1, answer_forever);

		while (shm_sum(a, SHM_M_llm_started) == before)
			sched_yield();
		for (int look = 0; look < 2000; look++) {
			struct shm_gen_info info;

			for (char letter = 'a'; letter <= 'z'; letter++) {
				int index = shm_gen_next(a, letter, 0, &info);
				int bytes = index >= 0 ? shm_gen_text(a, index, info.id, 0, text, sizeof(text)) : 0;

				ck_assert_int_le(bytes, 20);
				for (int i = 0; i < bytes; i++)
					ck_assert_int_eq(text[i], letter);
			}
		}
		fixture_kill(pid);
		shm_slot_died(fixture_shm, 1);
		shm_gen_orphans(a, on_orphan, &orphans);
		for (int i = 0; i < 4; i++)
			ck_assert_uint_eq(((struct shm_gen *)(void *)(a->gens + (size_t)i * a->gen_stride))->word, 0);
	}
}
END_TEST

Suite *suite_shm_gen(void)
{
	const TTest *const tests[] = {
		test_life_of_one, test_all_taken, test_lingering_places_are_taken,
		test_cancel_of_a_session, test_cancel_hits_only_that_one,
		test_orphans_are_given_once, test_sweeper_killed_in_the_sweep, test_readers_during_reuse_and_kills,
	};

	return fixture_suite("shm_gen", tests, PL_COUNT(tests));
}

/* SPDX-License-Identifier: ISC */
/*
 * core/shm_page.c: texts of running answers in chained pages: every split, no pages left, death at every step.
 */
#include <stdio.h>

#include "shm_fixture.h"

Suite *suite_shm_page(void);

#define POOL (FIXTURE_PAGES - 4)
#define LONGEST ((POOL + 1) * SHM_TEXT_PAGE)	/* one answer that has the whole pool */

static char text[LONGEST + 64], got[LONGEST + 64];

static struct shm_gen_info info_of(int64_t room)
{
	struct shm_gen_info info = { .room_id = room, .state = SHM_GEN_RUNNING };

	pl_uuid_make(info.id);
	return info;
}

static int take(struct shm *shm, struct shm_gen_info *info)
{
	int index;

	*info = info_of(7);
	index = shm_gen_take(shm, info);
	ck_assert_int_ge(index, 0);
	return index;
}

static int64_t pages_used(void)
{
	return shm_text_use(fixture_shm).used_bytes / SHM_TEXT_PAGE;
}

static struct shm_gen *gen_of(const struct shm *shm, int index)
{
	return (struct shm_gen *)(void *)(shm->gens + (size_t)index * shm->gen_stride);
}

/* Characters of 1 to 4 bytes, no two neighbors alike, behind `shift` letters. */
static uint32_t text_make(uint32_t bytes, uint32_t shift)
{
	static const char *const characters[] = { "\xf0\x9f\x8d\x8a", "\xe2\x82\xac", "\xc3\xa9", "z" };
	uint32_t len = 0;

	for (; len < shift; len++)
		text[len] = (char)('a' + len % 26);
	for (int n = 0; len < bytes; n++) {
		const char *character = characters[n / 3 % 4];

		if (len + strlen(character) > bytes)
			break;
		memcpy(text + len, character, strlen(character));
		len += (uint32_t)strlen(character);
	}
	return len;
}

/* The next end of a piece that cuts no character. */
static uint32_t piece_end(uint32_t from, uint32_t bytes, uint32_t len)
{
	uint32_t to = from + bytes < len ? from + bytes : len;

	while (to < len && ((unsigned char)text[to] & 0xc0) == 0x80)
		to++;
	return to;
}

static void check_text(struct shm *shm, int index, const char *id, uint32_t len, uint32_t most)
{
	uint32_t at = 0;
	int n;

	while ((n = shm_gen_text(shm, index, id, at, got + at, most)) > 0) {
		ck_assert_uint_le((uint32_t)n, most);
		at += (uint32_t)n;
		ck_assert(pl_utf8_ok(got, at));
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	ck_assert_int_eq(memcmp(got, text, len), 0);
}

static const uint32_t pieces[] = { 1, 2, 3, 4, 5, 7, 100, 1365, 4093, 4094, 4095, 4096, 4097, 4099, 8192, 10000,
	100000 };

START_TEST(test_every_split)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info;

	for (uint32_t shift = 0; shift < 5; shift++) {
		uint32_t len = text_make(3 * SHM_TEXT_PAGE + 11, shift);
		int index = take(a, &info);

		for (uint32_t at = 0, to; at < len; at = to) {
			to = piece_end(at, pieces[_i], len);
			ck_assert_uint_eq(shm_gen_append(a, index, text + at, to - at), to - at);
		}
		check_text(b, index, info.id, len, sizeof(got));
		check_text(b, index, info.id, len, pieces[_i] < 4 ? 4 : pieces[_i]);
		for (uint32_t offset = 4090; offset < 4102; offset++)
			ck_assert_int_eq(shm_gen_text(b, index, info.id, offset, got, sizeof(got)),
			    (int)(len - offset));
		ck_assert_int_eq(shm_gen_text(b, index, info.id, len + 5000, got, sizeof(got)), 0);
		shm_gen_free(a, index, info.id);
		ck_assert_int_eq(pages_used(), 0);
	}
}
END_TEST

START_TEST(test_lengths_at_borders)
{
	struct shm *a = fixture_take(0);
	struct shm_gen_info info;

	for (uint32_t pages = 1; pages < 4; pages++)
		for (int more = -1; more <= 1; more++) {
			uint32_t len = (uint32_t)((int)(pages * SHM_TEXT_PAGE) + more);
			int index = take(a, &info);

			memset(text, 'x', len + 1);
			ck_assert_uint_eq(shm_gen_append(a, index, text, len), len);
			ck_assert_int_eq(pages_used(), pages + (more > 0));
			ck_assert_uint_eq(shm_gen_append(a, index, text + len, 1), 1);
			check_text(a, index, info.id, len + 1, 4096);
			shm_gen_free(a, index, info.id);
		}
}
END_TEST

/* The pool is empty: an answer ends between two characters. Others keep their pages. */
START_TEST(test_no_pages_left)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info first, second;
	uint32_t len = text_make(LONGEST + 60, (uint32_t)_i), kept;
	int one = take(a, &first), two = take(b, &second);

	kept = shm_gen_append(a, one, text, len);
	ck_assert_uint_le(kept, LONGEST);
	ck_assert_uint_ge(kept, LONGEST - 3);
	check_text(b, one, first.id, kept, sizeof(got));
	ck_assert_uint_eq(shm_gen_append(a, one, "\xf0\x9f\x8d\x8a", 4), 0);
	ck_assert_uint_ge(shm_gen_append(b, two, text, SHM_TEXT_PAGE + 100), SHM_TEXT_PAGE - 3);
	ck_assert_int_eq(pages_used(), FIXTURE_PAGES - 2);
	shm_gen_free(a, one, first.id);
	ck_assert_int_eq(pages_used(), 1);
	ck_assert_uint_gt(shm_gen_append(b, two, "0123456789", 10), 0);
	shm_gen_free(b, two, second.id);
	ck_assert_int_eq(pages_used(), 0);
}
END_TEST

/* Texts of answers that ended stay for readers until a running answer needs their pages; the oldest is freed first. */
START_TEST(test_lingering_pages_are_taken)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info[3], seen;
	int index[3];

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 3; i++)
		index[i] = take(i < 2 ? a : b, &info[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(shm_gen_append(a, index[i], text, LONGEST / 2), LONGEST / 2);
	shm_gen_state(a, index[1], SHM_GEN_ENDED);
	shm_gen_state(a, index[0], SHM_GEN_ENDED);
	ck_assert_uint_eq(shm_gen_append(b, index[2], text, LONGEST / 2), LONGEST / 2);
	ck_assert_int_eq(shm_gen_find(b, pl_str(info[1].id), &seen), -1);
	ck_assert_int_eq(shm_gen_text(b, index[0], info[0].id, 0, got, sizeof(got)), LONGEST / 2);
	ck_assert_uint_eq(shm_gen_append(b, index[2], text, LONGEST / 2 - SHM_TEXT_PAGE),
	    LONGEST / 2 - SHM_TEXT_PAGE);
	ck_assert_int_eq(shm_gen_text(b, index[0], info[0].id, 0, got, sizeof(got)), -1);
	shm_gen_free(a, index[0], info[0].id);	/* their owner is late */
	shm_gen_free(a, index[1], info[1].id);
	ck_assert_int_eq(shm_gen_text(b, index[2], info[2].id, 0, got, sizeof(got)), LONGEST - SHM_TEXT_PAGE);
}
END_TEST

/* ---- death ---- */

static int adopted;

static void adopt(void *arg, const struct shm_gen_info *info, struct pl_str orphan)
{
	ck_assert_uint_eq(orphan.len, info->length);
	ck_assert_int_eq(memcmp(orphan.ptr, text, orphan.len), 0);
	shm_gen_adopt(arg, info->index);
	adopted++;
}

static void drop(void *arg, const struct shm_gen_info *info, struct pl_str orphan)
{
	ck_assert_int_eq(memcmp(orphan.ptr, text, orphan.len), 0);
	adopted += orphan.len == info->length;
}

/* What a process leaves when it is killed at one step of an append or of freeing; the text has `len` bytes. */
static void leave_page_owned(struct shm *shm, int index)
{
	atomic_store(&shm->links[shm->head->sizes.text_pages - 1].owner, (uint32_t)index + 1);
}

static void leave_page_linked(struct shm *shm, int index)
{
	uint32_t last = shm->head->sizes.text_pages - 1;

	leave_page_owned(shm, index);
	atomic_store(&shm->links[last].next, 0);
	atomic_store(&shm->links[gen_of(shm, index)->last].next, last + 1);
}

static void leave_page_filled(struct shm *shm, int index)
{
	leave_page_linked(shm, index);
	gen_of(shm, index)->last = shm->head->sizes.text_pages - 1;
	memset(shm->pages + (size_t)(shm->head->sizes.text_pages - 1) * SHM_TEXT_PAGE, '!', SHM_TEXT_PAGE);
}

static void leave_nothing(struct shm *shm, int index)
{
}

static void (*const steps[])(struct shm *shm, int index) = { leave_nothing, leave_page_owned, leave_page_linked,
	leave_page_filled };

START_TEST(test_death_in_an_append)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info, seen;
	uint32_t len = 2 * SHM_TEXT_PAGE;
	int index = take(b, &info);

	memset(text, 'x', sizeof(text));
	adopted = 0;
	ck_assert_uint_eq(shm_gen_append(b, index, text, len), len);
	steps[_i](b, index);
	shm_slot_died(fixture_shm, 1);
	shm_gen_orphans(a, adopt, a);
	shm_gen_orphans(a, adopt, a);
	ck_assert_int_eq(adopted, 1);
	ck_assert_int_eq(pages_used(), 2);
	ck_assert_int_eq(shm_gen_find(a, pl_str(info.id), &seen), index);
	ck_assert_int_eq(seen.owner_slot, 0);
	ck_assert_int_eq(seen.state, SHM_GEN_RUNNING);
	ck_assert_uint_eq(shm_gen_append(a, index, text, 5000), 5000);	/* it can continue */
	check_text(a, index, info.id, len + 5000, sizeof(got));
	shm_gen_state(a, index, SHM_GEN_ENDED);
	shm_gen_free(a, index, info.id);
	ck_assert_int_eq(pages_used(), 0);
}
END_TEST

START_TEST(test_death_and_nobody_adopts)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info;
	int index = take(b, &info);

	memset(text, 'x', sizeof(text));
	adopted = 0;
	ck_assert_uint_eq(shm_gen_append(b, index, text, 9000), 9000);
	steps[_i](b, index);
	fixture_respawn(1);
	shm_gen_orphans(a, drop, NULL);
	ck_assert_int_eq(adopted, 1);
	ck_assert_int_eq(pages_used(), 0);
	ck_assert_int_eq(shm_gen_take(a, &info), index);
	ck_assert_uint_eq(shm_gen_append(a, index, text, LONGEST), LONGEST);	/* all pages are present */
}
END_TEST

/* Killed while it freed the text, after each page of the chain: no reader gets a part of the text. */
START_TEST(test_death_in_freeing)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info;
	int index = take(b, &info);
	uint32_t next;

	memset(text, 'x', sizeof(text));
	adopted = 0;
	ck_assert_uint_eq(shm_gen_append(b, index, text, 4 * SHM_TEXT_PAGE), 4 * SHM_TEXT_PAGE);
	atomic_fetch_or(&gen_of(b, index)->word, 0xff);
	/* being taken or freed */
	atomic_fetch_and(&gen_of(b, index)->word, ~(uint64_t)0xff | (SHM_GEN_ENDED + 1));
	next = atomic_exchange(&b->links[index].next, 0);
	for (int n = 0; n < _i; n++) {
		uint32_t page = next - 1;

		next = atomic_load(&b->links[page].next);
		atomic_store(&b->links[page].owner, 0);
	}
	shm_slot_died(fixture_shm, 1);
	shm_gen_orphans(a, drop, NULL);
	ck_assert_int_eq(adopted, 0);
	ck_assert_int_eq(pages_used(), 0);
	ck_assert_int_eq(shm_gen_take(a, &info), index);
}
END_TEST

static void die(void *arg, const struct shm_gen_info *info, struct pl_str orphan)
{
	if (arg != NULL)
		shm_gen_adopt(arg, info->index);
	kill(getpid(), SIGKILL);
}

static void adopt_and_die(struct shm *shm)
{
	shm_gen_orphans(shm, die, shm);
}

static void sweep_and_die(struct shm *shm)
{
	shm_gen_orphans(shm, die, NULL);
}

/* The adopter is killed as well, before and after it owns the answer: the next one has the whole text. */
START_TEST(test_adopter_dies_too)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_gen_info info;
	int index = take(b, &info);
	pid_t pid;

	memset(text, 'x', sizeof(text));
	adopted = 0;
	ck_assert_uint_eq(shm_gen_append(b, index, text, 30000), 30000);
	leave_page_owned(b, index);
	shm_slot_died(fixture_shm, 1);
	for (int n = 0; n < 3; n++) {
		pid = fixture_fork(2, n % 2 == 0 ? adopt_and_die : sweep_and_die);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		shm_slot_died(fixture_shm, 2);
	}
	shm_gen_orphans(a, adopt, a);
	ck_assert_int_eq(adopted, 1);
	check_text(a, index, info.id, 30000, 4096);
	shm_gen_free(a, index, info.id);
	ck_assert_int_eq(pages_used(), 0);
}
END_TEST

/* Answers of one letter, of up to seven pages, created as fast as possible. */
static void answer_forever(struct shm *shm)
{
	static char letters[10000];

	for (uint32_t n = 0;; n++) {
		char letter = (char)('a' + n % 26);
		struct shm_gen_info info = info_of(letter);
		int index = shm_gen_take(shm, &info);

		if (index < 0)
			_exit(1);
		memset(letters, letter, sizeof(letters));
		for (uint32_t i = 0; i < 1 + n % 3; i++)
			shm_gen_append(shm, index, letters, 2500 + n % 7000);
		if (n % 2 == 0)
			shm_gen_state(shm, index, SHM_GEN_ENDED);
		shm_count(shm, SHM_M_llm_started, 1);
		if (n % 4 != 0)
			shm_gen_free(shm, index, info.id);
	}
}

static void drop_any(void *arg, const struct shm_gen_info *info, struct pl_str orphan)
{
	for (size_t i = 0; i < orphan.len; i++)
		ck_assert_int_eq(orphan.ptr[i], (char)info->room_id);
}

START_TEST(test_readers_and_kills)
{
	struct shm *a = fixture_take(0);

	for (int round = 0; round < 30; round++) {
		int64_t before = shm_sum(a, SHM_M_llm_started);
		pid_t pids[2];

		pids[0] = fixture_fork(1, answer_forever);
		pids[1] = fixture_fork(2, answer_forever);
		while (shm_sum(a, SHM_M_llm_started) < before + 2 + round)
			sched_yield();
		for (int look = 0; look < 300; look++) {
			struct shm_gen_info info;

			for (char letter = 'a'; letter <= 'z'; letter++) {
				int index = shm_gen_next(a, letter, 0, &info);
				int bytes = index >= 0 ? shm_gen_text(a, index, info.id, 0, got, sizeof(got)) : 0;

				int same = 0;

				while (same < bytes && got[same] == letter)
					same++;
				ck_assert_int_ge(same, bytes);
			}
		}
		for (int i = 0; i < 2; i++) {
			fixture_kill(pids[i]);
			shm_slot_died(fixture_shm, 1 + i);
		}
		shm_gen_orphans(a, drop_any, NULL);
		ck_assert_int_eq(pages_used(), 0);
		for (uint32_t page = 4; page < FIXTURE_PAGES; page++)
			ck_assert_uint_eq(atomic_load(&a->links[page].owner), 0);
	}
}
END_TEST

Suite *suite_shm_page(void)
{
	const TTest *const tests[] = {
		test_lengths_at_borders, test_lingering_pages_are_taken, test_adopter_dies_too,
	};
	Suite *suite = fixture_suite("shm_page", tests, PL_COUNT(tests));
	TCase *tcase = tcase_create("steps");

	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_every_split, 0, PL_COUNT(pieces));
	tcase_add_loop_test(tcase, test_no_pages_left, 0, 4);
	tcase_add_loop_test(tcase, test_death_in_an_append, 0, PL_COUNT(steps));
	tcase_add_loop_test(tcase, test_death_and_nobody_adopts, 0, PL_COUNT(steps));
	tcase_add_loop_test(tcase, test_death_in_freeing, 0, 4);
	tcase_add_test(tcase, test_readers_and_kills);
	suite_add_tcase(suite, tcase);
	return suite;
}

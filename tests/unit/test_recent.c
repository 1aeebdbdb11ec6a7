/* SPDX-License-Identifier: ISC */
/*
 * The newest messages of rooms: what is cached, the effect of a mark, and what is dropped.
 */
#include <check.h>

#include "api/recent.h"

Suite *suite_recent(void);

#define PLENTY ((size_t)1 << 30)
#define MESSAGES 300

static struct message messages[MESSAGES];

/* Messages first..last by user 1, and the result of a statement about them. */
static struct message_list list_of(int64_t first, int64_t last, bool more)
{
	struct message_list list = { .rows = &messages[first], .count = (int)(last - first + 1), .more = more,
		.sure = true, .mark = { .last_seq = last, .epoch = 1, .edits = 5, .names = 7 } };

	for (int64_t seq = first; seq <= last; seq++)
		messages[seq] = (struct message){ .room_id = 3, .seq = seq, .author_kind = AUTHOR_USER, .author_id = 1,
			.author_name = PL_STR("ann"), .content = PL_STR("text"), .client_id = PL_STR("c") };
	return list;
}

static void check_page(const struct recent *recent, int limit, int64_t first, int64_t last, bool more)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct recent_page page;
	char begin[64];

	ck_assert(recent_page(recent, limit, pool, &page));
	ck_assert_int_eq(page.more, more);
	if (last >= first) {
		ck_assert_int_eq(page.first_seq, first);
		ck_assert_int_eq(page.last_seq, last);
		snprintf(begin, sizeof(begin), "[{\"id\":\"3.%lld\",", (long long)first);
		ck_assert(pl_str_starts(page.json, begin));
		ck_assert(pl_str_is(pl_strn(page.json.ptr + page.json.len - 2, 2), "}]"));
	} else {
		ck_assert(pl_str_is(page.json, "[]"));
	}
	pl_pool_free(&pool);
}

static bool has_page(const struct recent *recent, int limit)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct recent_page page;
	bool good = recent_page(recent, limit, pool, &page);

	pl_pool_free(&pool);
	return good;
}

START_TEST(pages)
{
	struct recents *recents = recents_new();
	struct message_list list = list_of(11, 60, true);
	struct recent *recent;

	ck_assert_ptr_null(recents_find(recents, 3));
	recent = recents_set(recents, 3, &list, 50, PLENTY);
	ck_assert_ptr_eq(recents_find(recents, 3), recent);
	check_page(recent, 50, 11, 60, true);
	check_page(recent, 1, 60, 60, true);
	ck_assert(!has_page(recent, 51));
	list = list_of(1, 60, false);
	recent = recents_set(recents, 3, &list, 200, PLENTY);
	check_page(recent, 200, 1, 60, false);
	check_page(recent, 60, 1, 60, false);
	check_page(recent, 59, 2, 60, true);
	list = list_of(1, 0, false);
	recent = recents_set(recents, 3, &list, 50, PLENTY);
	check_page(recent, 50, 1, 0, false);
	recents_free(&recents);
}
END_TEST

START_TEST(appended)
{
	struct recents *recents = recents_new();
	struct message_list list = list_of(1, 10, false);
	struct recent *recent = recents_set(recents, 3, &list, 20, PLENTY);

	for (int64_t seq = 11; seq < MESSAGES; seq++) {
		list = list_of(seq, seq, false);
		ck_assert(recents_append(recents, recent, &list, PLENTY));
		check_page(recent, 20, seq > 20 ? seq - 19 : 1, seq, seq > 20);
		ck_assert_int_eq(recent->mark.last_seq, seq);
	}
	ck_assert_int_lt(recent->count, 60);
	list = list_of(MESSAGES - 1, MESSAGES - 2, false);	/* entries that are not messages */
	list.mark.last_seq = MESSAGES + 5;
	ck_assert(recents_append(recents, recent, &list, PLENTY));
	check_page(recent, 20, MESSAGES - 20, MESSAGES - 1, true);
	recents_free(&recents);
}
END_TEST

/* Messages that do not follow directly, although they are later. */
START_TEST(not_appended)
{
	for (int fault = 0; fault < 7; fault++) {
		struct recents *recents = recents_new();
		struct message_list list = list_of(1, 10, false);
		struct recent *recent = recents_set(recents, 3, &list, 20, PLENTY);

		list = list_of(11, 12, false);
		list.more = fault == 0;
		list.sure = fault != 1;
		list.mark.epoch += fault == 2;
		list.mark.edits += fault == 3;
		list.mark.names += fault == 4;
		list.rows -= fault == 5;
		list.mark.last_seq = fault == 6 ? 9 : 12;
		ck_assert_msg(!recents_append(recents, recent, &list, PLENTY), "%d", fault);
		check_page(recent, 20, 1, 10, false);
		recents_free(&recents);
	}
}
END_TEST

static const struct {
	const char *what;
	int64_t last_seq, epoch, edits;
	uint64_t names;
	enum recent_state state;
} marks[] = {
	{ "the same", 10, 1, 5, 7, RECENT_EXACT },
	{ "later messages", 11, 1, 5, 7, RECENT_BEHIND },
	{ "an older answer", 9, 1, 5, 7, RECENT_STALE },
	{ "an edit", 10, 1, 6, 7, RECENT_STALE },
	{ "an edit and a message", 11, 1, 6, 7, RECENT_STALE },
	{ "a restore", 10, 2, 5, 7, RECENT_STALE },
	{ "another name of a user", 10, 1, 5, 8, RECENT_STALE },
};

START_TEST(states)
{
	struct recents *recents = recents_new();
	struct message_list list = list_of(1, 10, false);
	struct recent *recent = recents_make(recents, 3);
	int64_t one = 1;

	for (size_t i = 0; i < PL_COUNT(marks); i++) {
		struct room_marked marked = { .mark = { .last_seq = marks[i].last_seq, .epoch = marks[i].epoch,
			.edits = marks[i].edits, .names = marks[i].names } };

		ck_assert_msg(recent_state(recent, &marked, NULL, 0) == RECENT_STALE || i > 0, "nothing is kept yet");
		recent = recents_set(recents, 3, &list, 20, PLENTY);
		ck_assert_msg(recent_state(recent, &marked, NULL, 0) == marks[i].state, "%s", marks[i].what);
		ck_assert_int_eq(recent_state(recent, &marked, &one, 1), RECENT_STALE);
	}
	recents_free(&recents);
}
END_TEST

/* Messages 1..6 by the roles 20, 10, 30, 20, 10, 30. */
static struct message_list list_of_roles(void)
{
	static const int64_t ids[] = { 20, 10, 30 };
	struct message_list list = list_of(1, 6, false);

	for (int64_t seq = 1; seq <= 6; seq++) {
		messages[seq].author_kind = AUTHOR_ROLE;
		messages[seq].author_id = ids[(seq - 1) % 3];
		messages[seq].author_display = seq % 3 == 0 ? PL_STR_NONE : PL_STR("A Name");
	}
	return list;
}

START_TEST(roles)
{
	static const int64_t ids[] = { 10, 20, 30 }, others[] = { 10, 20, 31 };
	struct pl_str names[] = { PL_STR("ann"), PL_STR("ann"), PL_STR("ann") };
	struct pl_str displays[] = { PL_STR("A Name"), PL_STR("A Name"), PL_STR("") };
	struct room_marked marked = { .mark = { .last_seq = 6, .epoch = 1, .edits = 5, .names = 7 },
		.role_names = names, .role_displays = displays, .role_count = 3 };
	struct recents *recents = recents_new();
	struct message_list list = list_of_roles();
	struct recent *recent = recents_set(recents, 3, &list, 20, PLENTY);

	ck_assert_int_eq(recent->role_count, 3);
	ck_assert_mem_eq(recent->role_ids, ids, sizeof(ids));
	ck_assert_int_eq(recent_state(recent, &marked, ids, 3), RECENT_EXACT);
	ck_assert_int_eq(recent_state(recent, &marked, others, 3), RECENT_STALE);
	displays[2] = PL_STR("New");
	ck_assert_int_eq(recent_state(recent, &marked, ids, 3), RECENT_STALE);
	displays[2] = PL_STR("");
	names[1] = PL_STR("bob");
	ck_assert_int_eq(recent_state(recent, &marked, ids, 3), RECENT_STALE);
	marked.role_count = 2;
	ck_assert_int_eq(recent_state(recent, &marked, ids, 3), RECENT_STALE);
	for (int64_t seq = 1; seq <= 6; seq++)
		messages[seq].author_id = seq;
	for (int i = 0; i < RECENT_ROLES + 1; i++) {
		messages[i + 7] = messages[1];
		messages[i + 7].seq = i + 7;
		messages[i + 7].author_id = i + 7;
	}
	list.count = RECENT_ROLES;
	ck_assert_ptr_nonnull(recents_set(recents, 3, &list, 20, PLENTY));
	list.count++;
	ck_assert_ptr_null(recents_set(recents, 3, &list, 20, PLENTY));
	ck_assert_ptr_null(recents_find(recents, 3));
	recents_free(&recents);
}
END_TEST

START_TEST(long_texts)
{
	static char text[100001];
	struct recents *recents = recents_new();
	struct message_list list = list_of(1, 3, false);
	struct recent *recent;

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 1; i <= 3; i++)
		messages[i].content = pl_str(text);
	ck_assert_ptr_null(recents_set(recents, 3, &list, 20, PLENTY));
	recent = recents_set(recents, 3, &list, 2, PLENTY);
	check_page(recent, 2, 2, 3, true);
	ck_assert(!has_page(recent, 3));
	recents_free(&recents);
}
END_TEST

/* The entries that were used last remain. */
START_TEST(little_memory)
{
	struct recents *recents = recents_new();
	struct message_list list = list_of(1, 20, false);
	size_t bytes = recents_set(recents, 1, &list, 20, PLENTY)->counted;

	for (int64_t room = 2; room <= 20; room++) {
		ck_assert_ptr_nonnull(recents_set(recents, room, &list, 20, 5 * bytes));
		ck_assert_ptr_nonnull(recents_find(recents, 1));
		for (int64_t other = 2; other <= room; other++)
			ck_assert_int_eq(recents_find(recents, other) != NULL, other > room - 4);
		ck_assert_ptr_nonnull(recents_find(recents, 1));
	}
	ck_assert_ptr_null(recents_set(recents, 30, &list, 20, bytes - 1));
	ck_assert_ptr_null(recents_find(recents, 1));
	recents_free(&recents);
}
END_TEST

START_TEST(unsure_names)
{
	struct recents *recents = recents_new();
	struct message_list list = list_of(1, 3, false);

	list.sure = false;
	ck_assert_ptr_null(recents_set(recents, 3, &list, 20, PLENTY));
	ck_assert_ptr_null(recents_find(recents, 3));
	recents_free(&recents);
}
END_TEST

Suite *suite_recent(void)
{
	Suite *suite = suite_create("recent");
	TCase *tcase = tcase_create("recent");

	tcase_add_test(tcase, pages);
	tcase_add_test(tcase, appended);
	tcase_add_test(tcase, not_appended);
	tcase_add_test(tcase, states);
	tcase_add_test(tcase, roles);
	tcase_add_test(tcase, long_texts);
	tcase_add_test(tcase, little_memory);
	tcase_add_test(tcase, unsure_names);
	suite_add_tcase(suite, tcase);
	return suite;
}

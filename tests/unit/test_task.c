/* SPDX-License-Identifier: ISC */
/* Holds, cancel hooks and deadlines of tasks. */
#include <check.h>
#include <signal.h>
#include <string.h>

#include "clock.h"
#include "task.h"

static char seen[16];

static void see(void *arg)
{
	strcat(seen, arg);
}

START_TEST(test_life)
{
	static char dead[] = "dead";
	struct pl_task *task = pl_task_new(INT64_MAX), *other, *held;

	seen[0] = '\0';
	ck_assert_uint_eq(strlen(task->request_id), PL_REQUEST_ID_LEN);
	ck_assert_uint_eq(strspn(task->request_id, "0123456789abcdef"), PL_REQUEST_ID_LEN);
	ck_assert_int_eq(task->holds, 1);
	other = pl_task_new(INT64_MAX);
	ck_assert_str_ne(task->request_id, other->request_id);
	pl_task_release(&other);
	ck_assert_ptr_null(other);
	pl_pool_cleanup(task->pool, see, dead);
	held = pl_task_hold(task);
	pl_task_release(&task);
	ck_assert_str_eq(seen, "");
	pl_task_release(&held);
	ck_assert_str_eq(seen, "dead");
}
END_TEST

START_TEST(test_cancel_runs_hooks_once)
{
	static char a[] = "a", b[] = "b", c[] = "c";
	struct pl_task *task = pl_task_new(INT64_MAX);
	struct pl_cancel hooks[4];

	seen[0] = '\0';
	pl_task_on_cancel(task, &hooks[0], see, a);
	pl_task_on_cancel(task, &hooks[1], see, b);
	pl_task_on_cancel(task, &hooks[2], see, c);
	pl_task_unhook(task, &hooks[1]);
	pl_task_unhook(task, &hooks[1]);
	ck_assert(!task->cancelled);
	pl_task_cancel(task);
	ck_assert(task->cancelled);
	ck_assert_str_eq(seen, "ca");
	pl_task_cancel(task);
	pl_task_unhook(task, &hooks[0]);
	pl_task_on_cancel(task, &hooks[3], see, b);
	ck_assert_str_eq(seen, "ca");
	pl_task_release(&task);
}
END_TEST

struct job { struct pl_task *task; struct pl_cancel hook, second; };

static void end_job(void *arg)
{
	struct job *job = arg;

	strcat(seen, "e");
	pl_task_unhook(job->task, &job->second);
	pl_task_release(&job->task);
}

/* A hook may remove another one and release all holds but that of the caller that cancels. */
START_TEST(test_hook_releases)
{
	static char never[] = "never";
	struct pl_task *task = pl_task_new(INT64_MAX);
	struct job job = { .task = task };

	seen[0] = '\0';
	pl_task_on_cancel(task, &job.second, see, never);
	pl_task_on_cancel(task, &job.hook, end_job, &job);
	pl_task_cancel(task);
	ck_assert_str_eq(seen, "e");
	ck_assert_ptr_null(job.task);
}
END_TEST

START_TEST(test_late)
{
	struct pl_task *task = pl_task_new(1000);

	pl_clock_fake(999, 1);
	ck_assert(!pl_task_late(task));
	pl_clock_fake(1000, 1);
	ck_assert(pl_task_late(task));
	pl_clock_fake(0, 0);
	task->deadline_ns = INT64_MAX;
	ck_assert(!pl_task_late(task));
	pl_task_release(&task);
}
END_TEST

START_TEST(test_hold_of_none_is_bug)
{
	struct pl_task task = { .holds = 0 };

	pl_task_hold(&task);
}
END_TEST

Suite *suite_task(void);
Suite *suite_task(void)
{
	Suite *suite = suite_create("task");
	TCase *tc = tcase_create("task");

	tcase_add_test(tc, test_life);
	tcase_add_test(tc, test_cancel_runs_hooks_once);
	tcase_add_test(tc, test_hook_releases);
	tcase_add_test(tc, test_late);
	tcase_add_test_raise_signal(tc, test_hold_of_none_is_bug, SIGABRT);
	suite_add_tcase(suite, tc);
	return suite;
}

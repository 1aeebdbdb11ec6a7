/* SPDX-License-Identifier: ISC */
/*
 * A small segment for the tests of core/shm*.c, several slots seen from one process, and children that can be killed.
 */
#ifndef SHM_FIXTURE_H
#define SHM_FIXTURE_H

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shm_layout.h"

#define FIXTURE_SLOTS 10
#define FIXTURE_PAGES (4 + 20)	/* a page for each of 4 generations, and a pool */

static struct shm *fixture_shm;
static struct shm fixture_view[FIXTURE_SLOTS];	/* the segment as the process in that slot sees it */

__attribute__((unused)) static struct shm *fixture_take(int slot)
{
	fixture_view[slot] = *fixture_shm;
	shm_take_slot(&fixture_view[slot], slot);
	return &fixture_view[slot];
}

/* Does what the master does when the process of a slot has ended, and then starts the successor. */
__attribute__((unused)) static struct shm *fixture_respawn(int slot)
{
	shm_slot_died(fixture_shm, slot);
	return fixture_take(slot);
}

static void fixture_setup(void)
{
	const struct shm_sizes sizes = {
		.workers_max = 3, .slots = FIXTURE_SLOTS, .rate_pairs = 1024, .revoked_pairs = 64,
		.ring_bytes = SHM_RING_MIN_BYTES, .generations = 4, .text_pages = FIXTURE_PAGES,
	};
	char why[256] = "";

	fixture_shm = shm_new(&sizes, why);
	ck_assert_msg(fixture_shm != NULL, "%s", why);
}

static void fixture_teardown(void)
{
	shm_free(&fixture_shm);
}

/* Runs fn in a child that is forked in a slot; it never returns into the test. */
__attribute__((unused)) static pid_t fixture_fork(int slot, void (*fn)(struct shm *shm))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a failed test leaves no processes behind */
		fixture_view[slot] = *fixture_shm;
		if (slot >= 0)
			shm_take_slot(&fixture_view[slot], slot);
		fn(&fixture_view[slot]);
		_exit(0);
	}
	return pid;
}

__attribute__((unused)) static void fixture_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

__attribute__((unused)) static Suite *fixture_suite(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_set_timeout(tcase, 20);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}

#endif

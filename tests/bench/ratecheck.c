/* SPDX-License-Identifier: ISC */
/*
 * Measures one rate check with the shared table of libparlour.a, as a worker uses it, with many keys and with one.
 * Prints JSON, ns per check.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core/shm_parts.h"

enum { CHECKS = 2000000, KEYS = 10000 };

static const struct pl_rate rate = { .interval_ns = 1000, .burst = 1000000, .window_s = 1, .count = 1000000 };

static double run(struct shm *shm, int64_t keys)
{
	int64_t began = pl_now_ns(), refused = 0;

	for (int64_t i = 0; i < CHECKS; i++) {
		int64_t key = i % keys;
		uint64_t tag = shm_tag(shm, &key, sizeof(key));

		refused += !shm_rate_take(shm, tag, &rate, began + i).allowed;
	}
	return refused == CHECKS ? -1 : (double)(pl_now_ns() - began) / CHECKS;
}

int main(void)
{
	const struct shm_sizes sizes = {
		.workers_max = 2, .slots = 8, .rate_pairs = 262144, .revoked_pairs = 1024, .ring_bytes = 1 << 20,
		.generations = 4, .text_pages = 4,
	};
	char why[256] = "";
	struct shm *shm = shm_new(&sizes, why);
	double one, many;
	pid_t other;

	if (shm == NULL) {
		fprintf(stderr, "ratecheck: %s\n", why);
		return 1;
	}
	shm_take_slot(shm, 0);
	many = run(shm, KEYS);
	one = run(shm, 1);
	other = fork();		/* a second process on the same key */
	if (other == 0) {
		run(shm, 1);
		_exit(0);
	}
	printf("{\"many_ns\": %.1f, \"one_ns\": %.1f, \"contended_ns\": %.1f}\n", many, one, run(shm, 1));
	if (other > 0)
		waitpid(other, NULL, 0);
	return 0;
}

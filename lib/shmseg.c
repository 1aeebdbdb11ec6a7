/* SPDX-License-Identifier: ISC */
/*
 * Shared segments by memfd, and lock-free pairs in them.
 */
#include "shmseg.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAIRS_PER_LINE 4

void *pl_shm_make(const char *label, size_t bytes, int *fd_r)
{
	int fd, saved;
	void *base;

	fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return NULL;
	/* Sealed: nobody who inherits the number can shrink it under the others, which would be SIGBUS. */
	if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		goto fail;
	base = pl_shm_map(fd, bytes);
	if (base == NULL)
		goto fail;
	*fd_r = fd;
	return base;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return NULL;
}

void *pl_shm_map(int fd, size_t bytes)
{
	struct stat st;
	void *base;

	if (fstat(fd, &st) != 0)
		return NULL;
	if (st.st_size < 0 || (size_t)st.st_size != bytes) {
		errno = EINVAL;
		return NULL;
	}
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return base != MAP_FAILED ? base : NULL;
}

#if PL_PAIR_EXACT

union pair_word {
	struct pl_pair pair;
	unsigned __int128 word;
};

bool pl_pair_cas(struct pl_pair *pair, struct pl_pair old, struct pl_pair want)
{
	union pair_word from = { .pair = old }, to = { .pair = want };
	unsigned __int128 *word = (unsigned __int128 *)(void *)pair;

	/* Not __atomic: those call libatomic, which may take a lock that a killed process would keep. */
	return __sync_val_compare_and_swap(word, from.word, to.word) == from.word;
}

#else

bool pl_pair_cas(struct pl_pair *pair, struct pl_pair old, struct pl_pair want)
{
	/*
	 * The tag first: a process that dies in between leaves a claimed tag with an expired value, which is an idle
	 * key. The second step can lose against a neighbor; then the caller looks again.
	 */
	if (old.tag != want.tag &&
	    !__atomic_compare_exchange_n(&pair->tag, &old.tag, want.tag, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	return __atomic_compare_exchange_n(&pair->value, &old.value, want.value, false, __ATOMIC_ACQ_REL,
	    __ATOMIC_ACQUIRE);
}

#endif

struct pl_pair pl_pair_load(const struct pl_pair *pair)
{
	struct pl_pair seen;

	/*
	 * Plain loads, because a 16-byte CAS as a load would take the line away from the other cores. The tag is read
	 * on both sides of the value; what still slips through makes the caller's CAS fail.
	 */
	do {
		seen.tag = __atomic_load_n(&pair->tag, __ATOMIC_ACQUIRE);
		seen.value = __atomic_load_n(&pair->value, __ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&pair->tag, __ATOMIC_RELAXED) != seen.tag);
	return seen;
}

struct pl_pair *pl_pair_find(struct pl_pair *table, size_t count, uint64_t tag, uint64_t now, struct pl_pair *seen_r,
    bool *found_r)
{
	size_t mask = count - 1, start = tag & mask & ~(size_t)(PAIRS_PER_LINE - 1);
	size_t probes = count < PL_PAIR_PROBE ? count : PL_PAIR_PROBE;
	struct pl_pair *vacant = NULL;

	PL_BUG(count == 0 || (count & mask) != 0 || tag == 0);
	*found_r = false;
	for (size_t i = 0; i < probes; i++) {
		struct pl_pair *pair = &table[(start + i) & mask];
		struct pl_pair seen = pl_pair_load(pair);

		/* Its own expired pair before any other free one: processes whose clock reads differ meet there. */
		if (seen.tag == tag) {
			*seen_r = seen;
			*found_r = seen.value > now;
			return pair;
		}
		if (vacant == NULL && seen.value <= now) {
			vacant = pair;
			*seen_r = seen;
		}
	}
	return vacant;
}

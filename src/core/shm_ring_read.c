/* SPDX-License-Identifier: ISC */
/* Event rings: the readers' part. Cursors are private, and copies are checked after they were made. */
#include <errno.h>
#include <unistd.h>

#include "core/shm_layout.h"

typedef void (event_fn)(void *arg, int from_slot, uint32_t kind, struct pl_str data);
typedef void (lapped_fn)(void *arg, int from_slot);

static void ring_copy(const struct shm_ring *ring, uint64_t size, uint64_t at, void *out, size_t len)
{
	const char *bytes = (const char *)(ring + 1);
	uint64_t from = at & (size - 1);
	size_t first = len < size - from ? len : (size_t)(size - from);

	memcpy(out, bytes + from, first);
	memcpy((char *)out + first, bytes, len - first);
}

/* After a copy: checks that no byte from `at` on was being overwritten. */
static bool ring_intact(const struct shm_ring *ring, uint64_t size, uint64_t at)
{
	uint64_t reserve;

	atomic_thread_fence(memory_order_acquire);
	reserve = atomic_load_explicit(&ring->reserve, memory_order_acquire);
	return reserve - at <= size && at >= atomic_load_explicit(&ring->floor, memory_order_acquire);
}

void shm_reader_init(struct shm_reader *reader, struct shm *shm)
{
	*reader = (struct shm_reader){ .copy = pl_new(SHM_EVENT_MAX) };
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		struct shm_ring *ring = shm_ring_at(shm, i);

		reader->generation[i] = atomic_load(&ring->lives);
		reader->cursor[i] = atomic_load(&ring->commit);
	}
}

void shm_reader_fini(struct shm_reader *reader)
{
	pl_free(reader->copy);
	reader->copy = NULL;
}

struct pass {
	struct shm_reader *reader;
	struct shm *shm;
	event_fn *event;
	lapped_fn *lapped;
	void *arg;
	int budget;
};

/* What the cursor found: an event (for this process or not), or overwritten bytes. */
enum found { FOUND_OURS, FOUND_OTHERS, FOUND_LOST };

static enum found event_copy(struct pass *pass, const struct shm_ring *ring, uint64_t at, uint64_t commit,
    struct shm_event *event)
{
	uint64_t size = pass->shm->head->sizes.ring_bytes;
	int slot = pass->shm->slot;

	ring_copy(ring, size, at, event, sizeof(*event));
	if (!ring_intact(ring, size, at) || event->bytes > SHM_EVENT_MAX || event->bytes > commit - at - sizeof(*event))
		return FOUND_LOST;
	if ((event->mask.bits[slot / 64] >> (slot % 64) & 1) == 0)
		return FOUND_OTHERS;
	ring_copy(ring, size, at + sizeof(*event), pass->reader->copy, event->bytes);
	return ring_intact(ring, size, at) ? FOUND_OURS : FOUND_LOST;
}

static void ring_read(struct pass *pass, int from)
{
	const struct shm_ring *ring = shm_ring_at(pass->shm, from);
	uint64_t *cursor = &pass->reader->cursor[from];
	uint32_t lives = atomic_load_explicit(&ring->lives, memory_order_acquire);
	uint64_t commit = atomic_load_explicit(&ring->commit, memory_order_acquire);
	struct shm_event event;

	if (lives != pass->reader->generation[from]) {
		/* Its process died. Events that it committed are valid; those that it had not posted are missing. */
		pass->reader->generation[from] = lives;
		pass->lapped(pass->arg, from);
	}
	while (*cursor != commit && pass->budget > 0) {
		enum found found = event_copy(pass, ring, *cursor, commit, &event);

		if (found == FOUND_LOST) {
			*cursor = atomic_load_explicit(&ring->commit, memory_order_acquire);
			shm_count(pass->shm, SHM_M_ring_laps, 1);
			pass->lapped(pass->arg, from);
			return;
		}
		*cursor += sizeof(event) + ((event.bytes + SHM_RING_ALIGN - 1) & ~(uint64_t)(SHM_RING_ALIGN - 1));
		if (found == FOUND_OURS) {
			pass->budget--;
			pass->event(pass->arg, from, event.kind, pl_strn(pass->reader->copy, event.bytes));
		}
	}
}

static bool has_work(const struct shm_reader *reader, const struct shm *shm)
{
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		const struct shm_ring *ring = shm_ring_at(shm, i);

		if (i != shm->slot &&
		    (reader->cursor[i] != atomic_load_explicit(&ring->commit, memory_order_acquire) ||
		    reader->generation[i] != atomic_load_explicit(&ring->lives, memory_order_acquire)))
			return true;
	}
	return false;
}

bool shm_reader_run(struct shm_reader *reader, struct shm *shm, int budget, event_fn *event, lapped_fn *lapped,
    void *arg)
{
	static unsigned turn;		/* prevents that a busy writer uses up the budget of the others each time */
	struct pass pass = {
		.reader = reader, .shm = shm, .event = event, .lapped = lapped, .arg = arg, .budget = budget,
	};
	unsigned slots = shm->head->sizes.slots, first = turn++ % slots;

	for (unsigned i = 0; i < slots && pass.budget > 0; i++) {
		int from = (int)((first + i) % slots);

		if (from != shm->slot)
			ring_read(&pass, from);
	}
	return pass.budget <= 0 && has_work(reader, shm);
}

bool shm_reader_sleep(struct shm_reader *reader, struct shm *shm)
{
	struct shm_ring *ring = shm_ring_at(shm, shm->slot);

	atomic_fetch_or(&ring->sleep, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (!has_work(reader, shm))
		return false;
	shm_sleep_end(ring);
	return true;
}

void shm_reader_awake(struct shm_reader *reader, struct shm *shm)
{
	uint64_t count;

	PL_UNUSED(reader);
	shm_sleep_end(shm_ring_at(shm, shm->slot));
	/* Empties it in any case: a writer may have been killed between its write and its exchange. */
	while (read(shm->wake_fd[shm->slot], &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

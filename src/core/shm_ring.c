/* SPDX-License-Identifier: ISC */
/*
 * Event rings: the writer's part.
 *
 * A ring is a circular buffer and two counters that never wrap: `reserve` is moved before bytes are overwritten, and
 * `commit` after they are complete. Readers have separate cursors and learn from `reserve` whether their copy was
 * overwritten meanwhile. So the writer never waits, and a dead reader costs nothing.
 *
 * A writer that is killed in between leaves `reserve` too large. Its successor sets it back to `commit` and records in
 * `floor` how far bytes may be damaged, because `reserve` no longer shows it.
 */
#include "core/shm_layout.h"

static void ring_write(struct shm_ring *ring, uint64_t size, uint64_t at, struct pl_str data)
{
	char *bytes = (char *)(ring + 1);
	uint64_t from = at & (size - 1);
	size_t first = data.len < size - from ? data.len : (size_t)(size - from);

	if (data.len == 0)
		return;
	memcpy(bytes + from, data.ptr, first);
	memcpy(bytes, data.ptr + first, data.len - first);
}

void shm_ring_post(struct shm *shm, const struct shm_mask *mask, uint32_t kind, struct pl_str head, struct pl_str body)
{
	struct shm_ring *ring = shm_ring_at(shm, shm->slot);
	uint64_t size = shm->head->sizes.ring_bytes;
	uint64_t at = atomic_load_explicit(&ring->commit, memory_order_relaxed), end;
	struct shm_event event = { .kind = kind, .mask = *mask };

	PL_BUG(head.len > SHM_EVENT_MAX || body.len > SHM_EVENT_MAX - head.len);
	if ((mask->bits[0] | mask->bits[1] | mask->bits[2]) == 0)
		return;
	event.bytes = (uint32_t)(head.len + body.len);
	end = at + sizeof(event) + ((event.bytes + SHM_RING_ALIGN - 1) & ~(uint64_t)(SHM_RING_ALIGN - 1));

	atomic_store_explicit(&ring->reserve, end, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);	/* readers that see new bytes see the new `reserve` */
	ring_write(ring, size, at, pl_strn((const char *)&event, sizeof(event)));
	ring_write(ring, size, at + sizeof(event), head);
	ring_write(ring, size, at + sizeof(event) + head.len, body);
	atomic_store_explicit(&ring->commit, end, memory_order_release);

	for (int i = 0; i < 3; i++) {
		uint64_t wake = atomic_load_explicit(&ring->wake[i], memory_order_relaxed);

		atomic_store_explicit(&ring->wake[i], wake | mask->bits[i], memory_order_relaxed);
	}
}

/*
 * First the eventfd, then the flag: a process that is killed in between wakes a reader once too often, but never leaves
 * one asleep. The number in the flag prevents that a late writer clears the reader's next sleep.
 */
static void reader_wake(struct shm *shm, int slot)
{
	_Atomic uint32_t *sleep = &shm_ring_at(shm, slot)->sleep;
	uint32_t seen = atomic_load_explicit(sleep, memory_order_relaxed);

	if (seen % 2 == 0)
		return;
	shm_wake(shm, slot);
	atomic_compare_exchange_strong(sleep, &seen, seen + 1);
}

void shm_ring_kick(struct shm *shm)
{
	struct shm_ring *ring = shm_ring_at(shm, shm->slot);
	struct shm_mask mask;

	for (int i = 0; i < 3; i++)
		mask.bits[i] = atomic_load_explicit(&ring->wake[i], memory_order_relaxed);
	if ((mask.bits[0] | mask.bits[1] | mask.bits[2]) == 0)
		return;
	/*
	 * Pairs with the fence in shm_reader_sleep(): either this process sees the reader asleep, or the reader sees
	 * the commit.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	for (int i = 0; i < 3; i++) {
		while (mask.bits[i] != 0) {
			int slot = i * 64 + __builtin_ctzll(mask.bits[i]);

			mask.bits[i] &= mask.bits[i] - 1;
			if (slot < (int)shm->head->sizes.slots && slot != shm->slot)
				reader_wake(shm, slot);
		}
		atomic_store_explicit(&ring->wake[i], 0, memory_order_relaxed);
	}
}

void shm_ring_take(struct shm *shm, int slot)
{
	struct shm_ring *ring = shm_ring_at(shm, slot);
	uint64_t size = shm->head->sizes.ring_bytes;
	uint64_t reserve = atomic_load(&ring->reserve), commit = atomic_load(&ring->commit);

	if (reserve != commit) {
		/* If the process is killed here, its successor computes the same values. */
		if (reserve > size && reserve - size > atomic_load(&ring->floor))
			atomic_store(&ring->floor, reserve - size);
		atomic_store(&ring->reserve, commit);
	}
	for (int i = 0; i < 3; i++)
		atomic_store(&ring->wake[i], 0);
	shm_sleep_end(ring);
}

void shm_ring_died(struct shm *shm, int slot)
{
	struct shm_ring *ring = shm_ring_at(shm, slot);

	atomic_store(&ring->owned, 0);
	shm_sleep_end(ring);
	atomic_fetch_add(&ring->lives, 1);
}

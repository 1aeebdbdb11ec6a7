/* SPDX-License-Identifier: ISC */
/* Traces: the last finished requests of each slot. The sequence of a record is odd while it is written. */
#include "core/shm_layout.h"

static struct shm_trace *trace_at(const struct shm *shm, int slot)
{
	return (struct shm_trace *)(void *)(shm->traces + (size_t)slot * shm->trace_stride);
}

void shm_trace_put(struct shm *shm, const struct shm_trace_rec *rec)
{
	struct shm_trace *trace = trace_at(shm, shm->slot);
	uint64_t n = atomic_load_explicit(&trace->next, memory_order_relaxed);
	_Atomic uint64_t *seq = &trace->cells[n % SHM_TRACES].seq;
	struct shm_trace_rec *cell = &trace->cells[n % SHM_TRACES].rec;

	/* If the process is killed here, the record remains odd, and the successor writes it first. */
	atomic_store_explicit(seq, 2 * n + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	*cell = *rec;
	cell->slot = shm->slot;
	atomic_store_explicit(seq, 2 * n + 2, memory_order_release);
	atomic_store_explicit(&trace->next, n + 1, memory_order_release);
}

/* Copies record n if it was not overwritten. */
static bool trace_copy(const struct shm_trace *trace, uint64_t n, struct shm_trace_rec *rec_r)
{
	const _Atomic uint64_t *seq = &trace->cells[n % SHM_TRACES].seq;

	if (atomic_load_explicit(seq, memory_order_acquire) != 2 * n + 2)
		return false;
	*rec_r = trace->cells[n % SHM_TRACES].rec;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(seq, memory_order_relaxed) == 2 * n + 2;
}

/* Searches this slot for the newest record with that id. */
static bool trace_search(const struct shm_trace *trace, struct pl_str id, struct shm_trace_rec *rec_r)
{
	uint64_t next = atomic_load_explicit(&trace->next, memory_order_acquire);
	uint64_t count = next < SHM_TRACES ? next : SHM_TRACES;

	for (uint64_t n = next; n > next - count; n--) {
		const char *there = trace->cells[(n - 1) % SHM_TRACES].rec.request_id;

		/* Compares first without a check, because most records have another id. */
		if (memcmp(there, id.ptr, id.len) == 0 && there[id.len] == '\0' && trace_copy(trace, n - 1, rec_r) &&
		    pl_str_is(id, rec_r->request_id))
			return true;
	}
	return false;
}

bool shm_trace_find(const struct shm *shm, struct pl_str request_id, struct shm_trace_rec *rec_r)
{
	struct shm_trace_rec rec;
	bool found = false;

	if (request_id.len == 0 || request_id.len >= sizeof(rec.request_id))
		return false;
	/* Clients may repeat a request id on another worker. The newest record counts. */
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		if (trace_search(trace_at(shm, i), request_id, &rec) && (!found || rec.wall_us > rec_r->wall_us)) {
			*rec_r = rec;
			found = true;
		}
	}
	return found;
}

/* SPDX-License-Identifier: ISC */
/*
 * Pages with the text of running answers. A text begins in the page that belongs to its generation and continues in
 * pages of the pool, each of which names the next one.
 *
 * A page is taken by a CAS of its owner and linked afterwards. If a process dies in between, the page has an owner but
 * is in no chain; the next holder of the generation finds it by its owner. Bytes are written before the generation's
 * `length` includes them. Readers follow the links without a lock, and check the generation's life afterwards to learn
 * whether they copied its text.
 */
#include "core/shm_layout.h"

static char *page_at(const struct shm *shm, uint32_t page)
{
	return shm->pages + (size_t)page * SHM_TEXT_PAGE;
}

/* Takes a free page. Searches from where this process found or freed the last one. -1: none. */
static int64_t page_take(struct shm *shm, int index)
{
	uint32_t from = shm->head->sizes.generations, to = shm->head->sizes.text_pages, page = shm->page_hint;

	for (uint32_t n = from; n < to; n++, page++) {
		uint32_t nobody = 0;

		if (page >= to)
			page = from;
		if (atomic_load_explicit(&shm->links[page].owner, memory_order_relaxed) != 0 ||
		    !atomic_compare_exchange_strong(&shm->links[page].owner, &nobody, (uint32_t)index + 1))
			continue;
		shm->page_hint = page + 1;
		return page;
	}
	return -1;
}

static void page_give(struct shm *shm, uint32_t page)
{
	if (page < shm->page_hint)
		shm->page_hint = page;	/* low pages first, so that the others use no memory */
	atomic_store(&shm->links[page].owner, 0);
}

/*
 * Returns the page after `page` in a text that this process holds: the next one of the chain, or else a new one. -1:
 * none.
 */
static int64_t page_behind(struct shm *shm, int index, uint32_t page)
{
	uint32_t next = atomic_load_explicit(&shm->links[page].next, memory_order_relaxed);
	int64_t fresh;

	if (next != 0)
		return next - 1;
	do
		fresh = page_take(shm, index);
	while (fresh < 0 && shm_gen_reclaim(shm));
	if (fresh < 0)
		return -1;
	atomic_store_explicit(&shm->links[fresh].next, 0, memory_order_relaxed);
	atomic_store_explicit(&shm->links[page].next, (uint32_t)fresh + 1, memory_order_release);
	return fresh;
}

uint32_t shm_page_append(struct shm *shm, int index, uint32_t length, const char *text, uint32_t bytes)
{
	struct shm_gen *gen = (struct shm_gen *)(void *)(shm->gens + (size_t)index * shm->gen_stride);
	uint32_t done = 0;

	while (done < bytes) {
		uint32_t at = (length + done) % SHM_TEXT_PAGE, fits = SHM_TEXT_PAGE - at;

		if (at == 0 && length + done > 0) {
			int64_t next = page_behind(shm, index, gen->last);

			if (next < 0)
				return (uint32_t)pl_utf8_cut(text, bytes, done);
			gen->last = (uint32_t)next;
		}
		if (fits > bytes - done)
			fits = bytes - done;
		memcpy(page_at(shm, gen->last) + at, text + done, fits);
		done += fits;
	}
	return done;
}

bool shm_page_copy(const struct shm *shm, int index, uint32_t offset, char *out, uint32_t bytes)
{
	uint32_t page = (uint32_t)index, at = 0, done = 0;

	while (done < bytes) {
		if (offset + done >= at + SHM_TEXT_PAGE) {
			uint32_t next = atomic_load_explicit(&shm->links[page].next, memory_order_acquire);

			if (next == 0 || next > shm->head->sizes.text_pages)
				return false;
			page = next - 1;
			at += SHM_TEXT_PAGE;
		} else {
			uint32_t skip = offset + done - at, fits = SHM_TEXT_PAGE - skip;

			if (fits > bytes - done)
				fits = bytes - done;
			memcpy(out + done, page_at(shm, page) + skip, fits);
			done += fits;
		}
	}
	return true;
}

bool shm_page_any(const struct shm *shm, int index)
{
	return atomic_load_explicit(&shm->links[index].next, memory_order_relaxed) != 0;
}

void shm_page_release(struct shm *shm, int index)
{
	uint32_t next = atomic_exchange(&shm->links[index].next, 0);

	while (next != 0) {
		uint32_t page = next - 1;

		next = atomic_load_explicit(&shm->links[page].next, memory_order_relaxed);
		page_give(shm, page);
	}
}

void shm_page_sweep(struct shm *shm, int index)
{
	atomic_store(&shm->links[index].next, 0);
	for (uint32_t page = shm->head->sizes.generations; page < shm->head->sizes.text_pages; page++)
		if (atomic_load_explicit(&shm->links[page].owner, memory_order_relaxed) == (uint32_t)index + 1)
			page_give(shm, page);
}

/* Ends the chain where the text ends, and frees further pages of the generation. */
void shm_page_repair(struct shm *shm, int index, uint32_t length)
{
	struct shm_gen *gen = (struct shm_gen *)(void *)(shm->gens + (size_t)index * shm->gen_stride);
	uint32_t count = length > 0 ? (length - 1) / SHM_TEXT_PAGE : 0, next;
	bool *kept = pl_new(shm->head->sizes.text_pages * sizeof(*kept));

	gen->last = (uint32_t)index;
	for (uint32_t n = 0; n < count; n++) {
		next = atomic_load(&shm->links[gen->last].next);
		if (next == 0 || next > shm->head->sizes.text_pages)
			break;
		gen->last = next - 1;
		kept[gen->last] = true;
	}
	atomic_store(&shm->links[gen->last].next, 0);
	for (uint32_t page = shm->head->sizes.generations; page < shm->head->sizes.text_pages; page++)
		if (atomic_load(&shm->links[page].owner) == (uint32_t)index + 1 && !kept[page])
			page_give(shm, page);
	pl_free(kept);
}

struct shm_text_use shm_text_use(const struct shm *shm)
{
	uint32_t own = shm->head->sizes.generations, count = shm->head->sizes.text_pages;
	struct shm_text_use use = { .bytes = (int64_t)count * SHM_TEXT_PAGE };

	for (uint32_t i = 0; i < own; i++) {
		const struct shm_gen *gen = (const struct shm_gen *)(const void *)(shm->gens + i * shm->gen_stride);

		if (atomic_load_explicit(&gen->word, memory_order_relaxed) != SHM_GEN_FREE)
			use.used_bytes += SHM_TEXT_PAGE;
	}
	for (uint32_t i = own; i < count; i++)
		if (atomic_load_explicit(&shm->links[i].owner, memory_order_relaxed) != 0)
			use.used_bytes += SHM_TEXT_PAGE;
	return use;
}

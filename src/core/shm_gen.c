/* SPDX-License-Identifier: ISC */
/*
 * Running answers: owner, text so far, and requests to stop.
 *
 * An entry changes its owner by a CAS of its word. `life` counts how often it was taken: a copy is valid if the entry
 * was in use and in the same life before and after copying. Text is only appended, and `length` changes after the text.
 * An ended entry keeps its text until a process that finds no free entry or page takes it. A free entry owns no pages
 * of the pool.
 */
#include "clock.h"
#include "core/shm_layout.h"

/*
 * The word: state in bits 0-7, slot of the owner in 8-23, state before the sweep in 24-31, generation of the owner in
 * 32-63.
 */
#define WORD(state, slot, generation) ((uint64_t)(state) | (uint64_t)(slot) << 8 | (uint64_t)(generation) << 32)
#define WORD_STATE(word) ((int)((word) & 0xff))
#define WORD_SLOT(word) ((int)((word) >> 8 & 0xffff))
#define WORD_BEFORE(word) ((int)((word) >> 24 & 0xff))
#define WORD_GENERATION(word) ((uint32_t)((word) >> 32))
#define SLOT_NOBODY 0xffff
#define SLOT_MASTER 0xfffe

/* States that only this file uses, after those of enum shm_gen_state. TAKING: its holder fills or clears it. */
enum { GEN_TAKING = SHM_GEN_ENDED + 1, GEN_SWEEPING };

static struct shm_gen *gen_at(const struct shm *shm, int index)
{
	PL_BUG(index < 0 || (uint32_t)index >= shm->head->sizes.generations);
	return (struct shm_gen *)(void *)(shm->gens + (size_t)index * shm->gen_stride);
}

/* Returns the word of an entry that this process holds. */
static uint64_t own_word(const struct shm *shm, int state)
{
	if (shm->slot < 0)
		return WORD(state, SLOT_MASTER, 0);
	return WORD(state, shm->slot, atomic_load(&shm->scores[shm->slot].generation));
}

static bool word_owned(const struct shm *shm, uint64_t word)
{
	return (word | 0xff) == (own_word(shm, 0) | 0xff);
}

static bool word_orphaned(const struct shm *shm, uint64_t word)
{
	int slot = WORD_SLOT(word);

	if (WORD_STATE(word) == SHM_GEN_FREE || slot == SLOT_MASTER)
		return false;
	return slot == SLOT_NOBODY || !shm_slot_live(shm, slot) ||
	    atomic_load(&shm->scores[slot].generation) != WORD_GENERATION(word);
}

static bool state_visible(int state)
{
	return state >= SHM_GEN_QUEUED && state <= SHM_GEN_ENDED;
}

/*
 * Returns a free entry, or else the one that ended first and is only kept for readers. -1: all run. *word_r: its word.
 */
static int place_find(const struct shm *shm, uint64_t *word_r)
{
	int64_t oldest_ns = INT64_MAX;
	int found = -1;

	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		struct shm_gen *gen = gen_at(shm, i);
		uint64_t word = atomic_load_explicit(&gen->word, memory_order_relaxed);
		int64_t ended_ns = atomic_load_explicit(&gen->ended_ns, memory_order_relaxed);

		if (WORD_STATE(word) == SHM_GEN_FREE)
			ended_ns = INT64_MIN;
		else if (WORD_STATE(word) != SHM_GEN_ENDED)
			continue;
		if (found >= 0 && ended_ns >= oldest_ns)
			continue;
		found = i;
		oldest_ns = ended_ns;
		*word_r = word;
		if (ended_ns == INT64_MIN)
			break;
	}
	return found;
}

int shm_gen_take(struct shm *shm, const struct shm_gen_info *info)
{
	struct shm_gen *gen;
	uint64_t word;
	int index;

	do {
		index = place_find(shm, &word);
		if (index < 0)
			return -1;
		gen = gen_at(shm, index);
	} while (!atomic_compare_exchange_strong(&gen->word, &word, own_word(shm, GEN_TAKING)));
	shm_page_release(shm, index);
	atomic_store(&gen->life, atomic_load(&gen->life) + 1);
	atomic_thread_fence(memory_order_release);	/* readers see the new life before they see new contents */
	atomic_store_explicit(&gen->length, 0, memory_order_relaxed);
	gen->last = (uint32_t)index;
	gen->slot = shm->slot;
	gen->room_id = info->room_id;
	gen->role_id = info->role_id;
	gen->asker_id = info->asker_id;
	gen->reply_to_seq = info->reply_to_seq;
	memcpy(gen->id, info->id, sizeof(gen->id));
	gen->id[PL_UUID_LEN] = '\0';
	memcpy(gen->session, info->session, sizeof(gen->session));
	gen->session[PL_UUID_LEN] = '\0';
	atomic_store(&gen->word, own_word(shm, info->state == SHM_GEN_RUNNING ? SHM_GEN_RUNNING : SHM_GEN_QUEUED));
	return index;
}

void shm_gen_state(struct shm *shm, int index, enum shm_gen_state state)
{
	struct shm_gen *gen = gen_at(shm, index);

	PL_BUG(!word_owned(shm, atomic_load(&gen->word)) || !state_visible(state));
	if (state == SHM_GEN_ENDED)
		atomic_store_explicit(&gen->ended_ns, pl_now_ns(), memory_order_relaxed);
	atomic_store(&gen->word, own_word(shm, state));
}

uint32_t shm_gen_append(struct shm *shm, int index, const char *text, uint32_t bytes)
{
	struct shm_gen *gen = gen_at(shm, index);
	uint32_t length = atomic_load_explicit(&gen->length, memory_order_relaxed);

	PL_BUG(!word_owned(shm, atomic_load_explicit(&gen->word, memory_order_relaxed)));
	bytes = shm_page_append(shm, index, length, text, bytes);
	atomic_store_explicit(&gen->length, length + bytes, memory_order_release);
	return bytes;
}

/* Frees an entry if its word is still `word`. Other processes no longer see it while its pages are freed. */
static void entry_free(struct shm *shm, int index, uint64_t word)
{
	struct shm_gen *gen = gen_at(shm, index);

	if (!shm_page_any(shm, index)) {
		atomic_compare_exchange_strong(&gen->word, &word, SHM_GEN_FREE);
		return;
	}
	if (!atomic_compare_exchange_strong(&gen->word, &word, own_word(shm, GEN_TAKING)))
		return;
	shm_page_release(shm, index);
	atomic_store(&gen->word, SHM_GEN_FREE);
}

/* If the ended entry has a new owner, or another answer of this process, it is not changed. */
void shm_gen_free(struct shm *shm, int index, const char *id)
{
	struct shm_gen *gen = gen_at(shm, index);
	uint64_t word = atomic_load(&gen->word);

	if (word_owned(shm, word) && strcmp(gen->id, id) == 0)
		entry_free(shm, index, word);
}

static int ended_find(const struct shm *shm)
{
	int64_t oldest_ns = INT64_MAX;
	int found = -1;

	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		struct shm_gen *gen = gen_at(shm, i);
		int64_t ended_ns = atomic_load_explicit(&gen->ended_ns, memory_order_relaxed);

		if (WORD_STATE(atomic_load(&gen->word)) != SHM_GEN_ENDED || !shm_page_any(shm, i) ||
		    (found >= 0 && ended_ns >= oldest_ns))
			continue;
		found = i;
		oldest_ns = ended_ns;
	}
	return found;
}

bool shm_gen_reclaim(struct shm *shm)
{
	int index = ended_find(shm);
	uint64_t word;

	if (index < 0)
		return false;
	word = atomic_load(&gen_at(shm, index)->word);
	if (WORD_STATE(word) == SHM_GEN_ENDED)
		entry_free(shm, index, word);	/* if the word changed meanwhile, another process freed an entry */
	return true;
}

static void info_copy(const struct shm *shm, int index, uint64_t word, struct shm_gen_info *info_r)
{
	const struct shm_gen *gen = gen_at(shm, index);

	*info_r = (struct shm_gen_info){
		.room_id = gen->room_id, .role_id = gen->role_id, .asker_id = gen->asker_id,
		.reply_to_seq = gen->reply_to_seq, .state = WORD_STATE(word), .owner_slot = gen->slot, .index = index,
		.length = atomic_load_explicit(&gen->length, memory_order_acquire),
	};
	memcpy(info_r->id, gen->id, sizeof(info_r->id));
	info_r->id[PL_UUID_LEN] = '\0';
	memcpy(info_r->session, gen->session, sizeof(info_r->session));
	info_r->session[PL_UUID_LEN] = '\0';
}

static bool life_same(const struct shm_gen *gen, uint64_t life)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&gen->life, memory_order_acquire) == life &&
	    state_visible(WORD_STATE(atomic_load_explicit(&gen->word, memory_order_acquire)));
}

/* Makes a consistent copy of an entry in use. */
static bool info_read(const struct shm *shm, int index, struct shm_gen_info *info_r, uint64_t *life_r)
{
	const struct shm_gen *gen = gen_at(shm, index);
	uint64_t word;

	*life_r = atomic_load_explicit(&gen->life, memory_order_acquire);
	word = atomic_load_explicit(&gen->word, memory_order_acquire);
	if (!state_visible(WORD_STATE(word)))
		return false;
	info_copy(shm, index, word, info_r);
	return life_same(gen, *life_r);
}

int shm_gen_find(const struct shm *shm, struct pl_str id, struct shm_gen_info *info_r)
{
	uint64_t life;

	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		if (info_read(shm, i, info_r, &life) && pl_str_is(id, info_r->id))
			return i;
	}
	return -1;
}

int shm_gen_next(const struct shm *shm, int64_t room, int from, struct shm_gen_info *info_r)
{
	uint64_t life;

	for (int i = from > 0 ? from : 0; i < (int)shm->head->sizes.generations; i++) {
		if (info_read(shm, i, info_r, &life) && info_r->room_id == room &&
		    info_r->state != SHM_GEN_ENDED)
			return i;
	}
	return -1;
}

int shm_gen_after(const struct shm *shm, int index, struct shm_gen_info *info_r)
{
	uint64_t life;

	for (int i = index + 1; i < (int)shm->head->sizes.generations; i++) {
		if (info_read(shm, i, info_r, &life) && info_r->state != SHM_GEN_ENDED)
			return i;
	}
	return -1;
}

void shm_gen_cancel_session(struct shm *shm, const char *session)
{
	struct shm_gen_info info;
	uint64_t life;

	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		if (info_read(shm, i, &info, &life) && strcmp(info.session, session) == 0)
			shm_gen_cancel(shm, i, info.id);
	}
}

/* Returns the bytes without an incomplete character at the end. */
static uint32_t whole_characters(const char *text, uint32_t bytes)
{
	uint32_t first = bytes, needs;

	while (first > 0 && ((unsigned char)text[first - 1] & 0xc0) == 0x80)
		first--;
	if (first == 0)
		return 0;
	first--;
	needs = (unsigned char)text[first] < 0x80 ? 1 : (unsigned char)text[first] < 0xe0 ? 2 :
	    (unsigned char)text[first] < 0xf0 ? 3 : 4;
	return bytes - first < needs ? first : bytes;
}

int shm_gen_text(const struct shm *shm, int index, const char *id, uint32_t offset, char *out, uint32_t max)
{
	const struct shm_gen *gen = gen_at(shm, index);
	struct shm_gen_info info;
	uint32_t bytes;
	uint64_t life;

	if (!info_read(shm, index, &info, &life) || strcmp(info.id, id) != 0)
		return -1;
	bytes = offset < info.length ? info.length - offset : 0;
	bytes = bytes < max ? bytes : max;
	if (!shm_page_copy(shm, index, offset, out, bytes) || !life_same(gen, life))
		return -1;
	return (int)whole_characters(out, bytes);
}

bool shm_gen_cancel(struct shm *shm, int index, const char *id)
{
	struct shm_gen *gen = gen_at(shm, index);
	struct shm_gen_info info;
	uint64_t life, old;

	if (!info_read(shm, index, &info, &life) || strcmp(info.id, id) != 0 || info.state == SHM_GEN_ENDED)
		return false;
	old = atomic_load(&gen->cancel);
	while (old < life && !atomic_compare_exchange_weak(&gen->cancel, &old, life))
		;
	if (info.owner_slot >= 0 && info.owner_slot < (int)shm->head->sizes.slots)
		shm_wake(shm, info.owner_slot);
	return true;
}

bool shm_gen_cancelled(const struct shm *shm, int index)
{
	const struct shm_gen *gen = gen_at(shm, index);

	return atomic_load(&gen->cancel) == atomic_load(&gen->life);
}

/* Passes on the text of an orphan. */
static void orphan_give(struct shm *shm, int index, int state,
    void (*fn)(void *arg, const struct shm_gen_info *info, struct pl_str text), void *arg)
{
	struct shm_gen_info info;
	char *text;

	info_copy(shm, index, (uint64_t)state, &info);
	text = pl_new((size_t)info.length + 1);
	if (!shm_page_copy(shm, index, 0, text, info.length))
		info.length = 0;	/* damaged: no part of it is reliable */
	fn(arg, &info, pl_strn(text, info.length));
	pl_free(text);
}

void shm_gen_orphans(struct shm *shm, void (*fn)(void *arg, const struct shm_gen_info *info, struct pl_str text),
    void *arg)
{
	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		struct shm_gen *gen = gen_at(shm, i);
		uint64_t word = atomic_load(&gen->word), held;
		int before = WORD_STATE(word) == GEN_SWEEPING ? WORD_BEFORE(word) : WORD_STATE(word);

		if (!word_orphaned(shm, word))
			continue;
		/*
		 * If a sweeper is killed in fn, the entry is an orphan again. So fn runs at least once for each orphan.
		 */
		held = own_word(shm, GEN_SWEEPING) | (uint64_t)before << 24;
		if (!atomic_compare_exchange_strong(&gen->word, &word, held))
			continue;
		if (before != GEN_TAKING)	/* otherwise it contains nothing */
			orphan_give(shm, i, before, fn, arg);
		if (atomic_load(&gen->word) != held)
			continue;		/* adopted */
		atomic_store(&gen->word, own_word(shm, GEN_TAKING));
		shm_page_sweep(shm, i);
		atomic_store(&gen->word, SHM_GEN_FREE);
	}
}

/* The entry is not moved, so that viewers always find it. A pending request to stop is dropped. */
void shm_gen_adopt(struct shm *shm, int index)
{
	struct shm_gen *gen = gen_at(shm, index);
	uint64_t word = atomic_load(&gen->word);

	PL_BUG(!word_owned(shm, word & ~(uint64_t)0xff000000) || WORD_STATE(word) != GEN_SWEEPING);
	atomic_store(&gen->life, atomic_load(&gen->life) + 1);
	atomic_thread_fence(memory_order_release);
	gen->slot = shm->slot;
	shm_page_repair(shm, index, atomic_load_explicit(&gen->length, memory_order_relaxed));
	atomic_store(&gen->word, own_word(shm, SHM_GEN_RUNNING));
}

void shm_gen_disown(struct shm *shm, int slot)
{
	for (int i = 0; i < (int)shm->head->sizes.generations; i++) {
		struct shm_gen *gen = gen_at(shm, i);
		uint64_t word = atomic_load(&gen->word);

		if (WORD_STATE(word) != SHM_GEN_FREE && WORD_SLOT(word) == slot)
			atomic_compare_exchange_strong(&gen->word, &word, word | (uint64_t)SLOT_NOBODY << 8);
	}
}

/* SPDX-License-Identifier: ISC */
/*
 * Arena memory: blocks that double up to 64 KiB, large pieces singly, cleanups in reverse order.
 *
 * The pool itself lives at the start of its first block, so an empty pool is one malloc. Under AddressSanitizer every
 * piece is its own malloc, so that the sanitizer sees each border; under PL_DEBUG freed memory is overwritten.
 */
#include "pool.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_SINGLY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_SINGLY 1
#endif
#endif
#ifndef POOL_SINGLY
#define POOL_SINGLY 0
#endif

#define TRIM_REST_NS (2 * PL_NS_PER_S)
#define PL_EXPORT __attribute__((visibility("default")))	/* libraries find it in the program, before libc's */

enum {
	POOL_ALIGN = 16,
	POOL_FIRST_BYTES = 1024,
	POOL_BLOCK_MAX_BYTES = 64 * 1024,
	POOL_POISON = 0xdb,
	TRIM_MIN_BYTES = 4 << 20,
	TRIM_REST_BYTES = 512 << 10,	/* what is enough when nothing was given back for TRIM_REST_NS */
	TRIM_SHARE = 50		/* after one that took 3 ms, none for 150 ms */
};

struct block {
	struct block *next;
	size_t cap, used;	/* bytes of data */
	_Alignas(POOL_ALIGN) char data[];
};
_Static_assert(offsetof(struct block, data) == sizeof(struct block), "block_new() counts on it");

struct cleanup {
	void (*fn)(void *arg);
	void *arg;
	struct cleanup *next;
};

struct pl_pool {
	struct block *blocks;	/* newest first; allocations come from the first */
	struct block *singles;	/* large pieces */
	struct cleanup *cleanups;
	size_t next_bytes;	/* size of the next block */
	size_t used_bytes;
};

void pl_no_memory(void)
{
	static const char text[] = "parlour: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

/* Of this thread; a piece that another thread frees makes it wrong by that much, which does not matter. */
static _Thread_local int64_t live_bytes;

#if !POOL_SINGLY
/* The C library's own. A sanitizer has others, and ends the process by itself. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void __libc_free(void *ptr);

static void *taken(void *ptr)
{
	if (ptr == NULL)
		pl_no_memory();
	live_bytes += (int64_t)malloc_usable_size(ptr);
	return ptr;
}

PL_EXPORT void *malloc(size_t bytes)
{
	return taken(__libc_malloc(bytes));
}

PL_EXPORT void *calloc(size_t count, size_t bytes)
{
	return taken(__libc_calloc(count, bytes));
}

/* NULL is right for 0 bytes: then it was free(). */
PL_EXPORT void *realloc(void *old, size_t bytes)
{
	void *ptr;

	if (old != NULL)
		live_bytes -= (int64_t)malloc_usable_size(old);
	ptr = __libc_realloc(old, bytes);
	return ptr != NULL || bytes > 0 ? taken(ptr) : NULL;
}

PL_EXPORT void free(void *ptr)
{
	if (ptr != NULL)
		live_bytes -= (int64_t)malloc_usable_size(ptr);
	__libc_free(ptr);
}
#endif

int64_t pl_memory_live(void)
{
	return live_bytes;
}

bool pl_memory_tend(int64_t now_ns)
{
	static int64_t most_bytes, not_before_ns, rest_ns;
	int64_t fallen, least = now_ns < rest_ns ? TRIM_MIN_BYTES : TRIM_REST_BYTES;

	if (live_bytes > most_bytes)
		most_bytes = live_bytes;
	fallen = most_bytes - live_bytes;
	if (fallen < least || fallen < most_bytes / 4 || now_ns < not_before_ns)
		return false;
	most_bytes = live_bytes;
	malloc_trim(0);
	now_ns = pl_now_ns() - now_ns;
	not_before_ns = pl_now_ns() + now_ns * TRIM_SHARE;
	rest_ns = pl_now_ns() + TRIM_REST_NS;
	pl_log(PL_LOG_DEBUG, NULL, "memory given back", "freed_kb=%lld in_use_kb=%lld us=%lld",
	    (long long)fallen / 1024, (long long)live_bytes / 1024, (long long)now_ns / 1000);
	return true;
}

void pl_bug(const char *what, const char *file, int line)
{
	static bool again;	/* the logger itself may be what is broken */

	if (!again) {
		again = true;
		pl_log(PL_LOG_ERROR, NULL, "bug", "what=%s file=%s line=%d", what, file, line);
	}
	abort();
}

static void poison(void *ptr, size_t bytes)
{
#ifdef PL_DEBUG
	memset(ptr, POOL_POISON, bytes);
#else
	PL_UNUSED(ptr);
	PL_UNUSED(bytes);
#endif
}

static struct block *block_new(size_t cap, struct block *next)
{
	struct block *block;

	if (cap > SIZE_MAX / 2)
		pl_no_memory();
	block = malloc(sizeof(*block) + cap);
	if (block == NULL)
		pl_no_memory();
	block->next = next;
	block->cap = cap;
	block->used = 0;
	return block;
}

static void block_free_all(struct block *block)
{
	struct block *next;

	for (; block != NULL; block = next) {
		next = block->next;
		poison(block, sizeof(*block) + block->cap);
		free(block);
	}
}

static size_t align_up(size_t bytes)
{
	return (bytes + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1);
}

struct pl_pool *pl_pool_new(size_t first_bytes)
{
	size_t own = align_up(sizeof(struct pl_pool));
	size_t cap = first_bytes > 0 ? first_bytes : POOL_FIRST_BYTES;
	struct block *block;
	struct pl_pool *pool;

	PL_BUG(cap > SIZE_MAX / 4);
	block = block_new(POOL_SINGLY ? own : own + align_up(cap), NULL);
	block->used = own;
	pool = (struct pl_pool *)(void *)block->data;
	*pool = (struct pl_pool){ .blocks = block, .next_bytes = cap };
	return pool;
}

void pl_pool_free(struct pl_pool **poolp)
{
	struct pl_pool *pool = *poolp;
	struct block *blocks, *singles;
	struct cleanup *last;

	if (pool == NULL)
		return;
	*poolp = NULL;
	while ((last = pool->cleanups) != NULL) {
		pool->cleanups = last->next;
		last->fn(last->arg);
	}
	blocks = pool->blocks;	/* the pool lies in the last of these */
	singles = pool->singles;
	block_free_all(singles);
	block_free_all(blocks);
}

static void *alloc_single(struct pl_pool *pool, size_t bytes)
{
	pool->singles = block_new(bytes, pool->singles);
	pool->singles->used = bytes;
	return pool->singles->data;
}

/* The current block is too small: a piece on its own when it is large, else a new block, twice the size of the last. */
static void *alloc_slow(struct pl_pool *pool, size_t bytes)
{
	struct block *block;

	if (pool->next_bytes < POOL_BLOCK_MAX_BYTES)
		pool->next_bytes *= 2;
	if (pool->next_bytes > POOL_BLOCK_MAX_BYTES)
		pool->next_bytes = POOL_BLOCK_MAX_BYTES;
	if (bytes > pool->next_bytes / 4)
		return alloc_single(pool, bytes);
	block = block_new(align_up(pool->next_bytes), pool->blocks);
	block->used = bytes;
	pool->blocks = block;
	return block->data;
}

void *pl_alloc(struct pl_pool *pool, size_t bytes)
{
	size_t rounded = align_up(bytes > 0 ? bytes : 1);
	struct block *block = pool->blocks;
	void *ptr;

	PL_BUG(bytes > SIZE_MAX / 4);
	if (POOL_SINGLY) {
		ptr = alloc_single(pool, bytes);
	} else if (rounded <= block->cap - block->used) {
		ptr = block->data + block->used;
		block->used += rounded;
	} else {
		ptr = alloc_slow(pool, rounded);
	}
	pool->used_bytes += rounded;
	return memset(ptr, 0, bytes);
}

char *pl_strndup(struct pl_pool *pool, const char *text, size_t len)
{
	char *copy;

	PL_BUG(len > SIZE_MAX / 4 - 1);
	copy = pl_alloc(pool, len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

char *pl_strdup(struct pl_pool *pool, const char *text)
{
	return pl_strndup(pool, text, strlen(text));
}

char *pl_sprintf(struct pl_pool *pool, const char *fmt, ...)
{
	char small[256], *text;
	va_list args, again;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	PL_BUG(len < 0);
	if ((size_t)len < sizeof(small)) {
		text = pl_strndup(pool, small, (size_t)len);
	} else {
		text = pl_alloc(pool, (size_t)len + 1);
		len = vsnprintf(text, (size_t)len + 1, fmt, again);
		PL_BUG(len < 0);
	}
	va_end(again);
	return text;
}

void pl_pool_cleanup(struct pl_pool *pool, void (*fn)(void *arg), void *arg)
{
	struct cleanup *entry = pl_alloc(pool, sizeof(*entry));

	*entry = (struct cleanup){ .fn = fn, .arg = arg, .next = pool->cleanups };
	pool->cleanups = entry;
}

size_t pl_pool_used_bytes(const struct pl_pool *pool)
{
	return pool->used_bytes;
}

void *pl_new(size_t bytes)
{
	void *ptr = calloc(1, bytes > 0 ? bytes : 1);

	if (ptr == NULL)
		pl_no_memory();
	return ptr;
}

void *pl_realloc(void *old, size_t bytes)
{
	void *ptr = realloc(old, bytes > 0 ? bytes : 1);

	if (ptr == NULL)
		pl_no_memory();
	return ptr;
}

void pl_free(void *ptr)
{
	if (ptr == NULL)
		return;
#ifdef PL_DEBUG
	poison(ptr, malloc_usable_size(ptr));
#endif
	free(ptr);
}

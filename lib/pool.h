/* SPDX-License-Identifier: ISC */
/*
 * Arena memory with cleanups: the only file of the product that calls malloc.
 *
 * Four lifetimes exist: request (struct pl_task), connection, worker, process. Each has one pool; everything
 * allocated in it dies with it, after the cleanups ran in reverse order. Running out of memory ends the
 * process (abort): the master starts another one. No function here returns NULL.
 *
 * That holds for libraries too: malloc(), calloc() and realloc() of the whole process are defined in pool.c. A library
 * that gets no memory would report what it reports for bad input, and a good token would be called invalid.
 */
#ifndef PL_POOL_H
#define PL_POOL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_MUSTCHECK __attribute__((warn_unused_result))
#define PL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PL_NORETURN __attribute__((noreturn))
#define PL_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PL_UNUSED(x) ((void)(x))

struct pl_pool;

/* A new, empty pool; `first_bytes` sizes its first block (0 = 1 KiB). Freed with pl_pool_free(). */
struct pl_pool *pl_pool_new(size_t first_bytes);

/* Runs the cleanups in reverse order of registration, frees everything, clears *pool. *pool may be NULL. */
void pl_pool_free(struct pl_pool **pool);

/* Zeroed memory, aligned to 16, that lives as long as the pool. */
void *pl_alloc(struct pl_pool *pool, size_t bytes) __attribute__((malloc, returns_nonnull));

/* Copies; both are NUL-terminated after `len` bytes. */
char *pl_strndup(struct pl_pool *pool, const char *text, size_t len) __attribute__((returns_nonnull));
char *pl_strdup(struct pl_pool *pool, const char *text) __attribute__((returns_nonnull));

/* printf into the pool. */
char *pl_sprintf(struct pl_pool *pool, const char *fmt, ...) PL_PRINTF(2, 3) __attribute__((returns_nonnull));

/* Calls fn(arg) when the pool is freed (last registered first). */
void pl_pool_cleanup(struct pl_pool *pool, void (*fn)(void *arg), void *arg);

/* Bytes handed out so far; for tests and for the memory figures of the scoreboard. */
size_t pl_pool_used_bytes(const struct pl_pool *pool);

/*
 * Heap objects whose life fits no pool (connections, list items). Zeroed; never NULL. pl_free(NULL) is fine.
 * pl_realloc() does not zero what it adds.
 */
void *pl_new(size_t bytes) __attribute__((malloc, returns_nonnull));
void *pl_realloc(void *old, size_t bytes) __attribute__((returns_nonnull));
void pl_free(void *ptr);

/* Bytes that this thread has from malloc() now, its libraries included; 0 in builds with a sanitizer. */
int64_t pl_memory_live(void);
/*
 * Gives memory back to the system after much of it was freed: the C library keeps pages that lie between pieces in use.
 * For the end of a loop's turn: costs two comparisons until a quarter of what was in use is free and that is 4 MiB, or
 * 512 KiB after two quiet seconds. Then about 0.2 ms for each MiB, and at most a fiftieth of the time. true when it
 * did.
 */
bool pl_memory_tend(int64_t now_ns);

/* Ends the process: a library says that it got no memory or no thread. */
void pl_no_memory(void) PL_NORETURN;

/* A broken promise between two pieces of our own code: logs and aborts; never for input. */
#define PL_BUG(cond) \
	do { \
		if (__builtin_expect(!!(cond), 0)) \
			pl_bug(#cond, __FILE__, __LINE__); \
	} while (0)
void pl_bug(const char *what, const char *file, int line) PL_NORETURN;

#endif

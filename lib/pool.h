/* SPDX-License-Identifier: ISC */
/*
 * Arena memory with cleanups: the only file of the product that calls malloc.
 *
 * Four lifetimes exist: request (struct pl_task), connection, worker, process. Each has one pool; everything
 * allocated in it dies with it, after the cleanups ran in reverse order. Running out of memory ends the
 * process (abort): the master starts another one. No function here returns NULL.
 *
 * The same applies to libraries: pool.c defines malloc(), calloc(), and realloc() for the whole process. Otherwise, a
 * library without memory could report the same error as for bad input, and a valid token would be refused.
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

/* Bytes that this thread currently has from malloc(), libraries included; 0 in builds with a sanitizer. */
int64_t pl_memory_live(void);
/*
 * Returns memory to the system after much of it was freed; the C library itself keeps pages between used blocks. Called
 * at the end of each loop turn. It acts when a quarter of the memory that was in use is free and this is at least 4
 * MiB, or at least 512 KiB after two idle seconds; otherwise it costs two comparisons. It takes about 0.2 ms per MiB,
 * and at most 2 % of the time. Returns whether it acted.
 */
bool pl_memory_tend(int64_t now_ns);

/* Ends the process after a library reported that it got no memory or no thread. */
void pl_no_memory(void) PL_NORETURN;

/* A bug in our own code: logs and aborts. Never used for invalid input. */
#define PL_BUG(cond) \
	do { \
		if (__builtin_expect(!!(cond), 0)) \
			pl_bug(#cond, __FILE__, __LINE__); \
	} while (0)
void pl_bug(const char *what, const char *file, int line) PL_NORETURN;

#endif

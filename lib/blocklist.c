/* SPDX-License-Identifier: ISC */
/*
 * Hashes instead of texts: eight bytes a password, in one block. With ten million lines, one of 10^12 other passwords
 * has the hash of a listed one. The hashes are evenly spread, so a look-up computes where a hash should be, and needs a
 * few steps (interpolation).
 */
#include "blocklist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

#define FILE_MAX_BYTES (256LL << 20)
#define LINE_MAX_BYTES 1024

/* Processes that share a list must hash alike; a list is not a secret. */
static const struct pl_sipkey key = { { 0x70617373776f7264ULL, 0x2d626c6f636b6c69ULL } };

static bool is_ascii(struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	return true;
}

static uint64_t hash_of(struct pl_str password)
{
	char small[LINE_MAX_BYTES];
	struct pl_pool *pool;
	struct pl_str text;
	uint64_t hash;

	if (password.len <= sizeof(small) && is_ascii(password)) {
		for (size_t i = 0; i < password.len; i++) {
			char c = password.ptr[i];

			small[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		}
		hash = pl_siphash(&key, small, password.len);
		pl_wipe(small, password.len);
		return hash;
	}
	pool = pl_pool_new(0);
	text = pl_text_fold_password(pool, password);
	hash = pl_siphash(&key, text.ptr, text.len);
	if (text.ptr != password.ptr)
		pl_wipe((void *)(uintptr_t)text.ptr, text.len);
	pl_pool_free(&pool);
	return hash;
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void sort(uint64_t *hashes, size_t *count)
{
	size_t kept = 0;

	qsort(hashes, *count, sizeof(*hashes), by_value);
	for (size_t i = 0; i < *count; i++)
		if (i == 0 || hashes[i] != hashes[kept - 1])
			hashes[kept++] = hashes[i];
	*count = kept;
}

/* false: the number of a line that is too long is in *line_r. */
static bool read_lines(struct pl_str text, uint64_t *hashes, size_t *count_r, size_t *line_r)
{
	struct pl_str line;

	for (*line_r = 1; pl_str_cut(&text, '\n', &line); ++*line_r) {
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (line.len > LINE_MAX_BYTES)
			return false;
		if (line.len > 0 && pl_utf8_ok(line.ptr, line.len))
			hashes[(*count_r)++] = hash_of(line);
	}
	return true;
}

static size_t count_lines(struct pl_str text)
{
	size_t count = 1;

	for (const char *at = text.ptr; (at = memchr(at, '\n', text.len - (size_t)(at - text.ptr))) != NULL; at++)
		count++;
	return count;
}

struct block { void *at; size_t bytes; };

static void unmap(void *arg)
{
	struct block *block = arg;

	munmap(block->at, block->bytes);
}

static bool read_text(struct pl_pool *pool, struct pl_str text, const char *path, struct pl_blocklist *list,
    char why[256])
{
	struct block *block = pl_alloc(pool, sizeof(*block));
	size_t line = 0;

	block->bytes = count_lines(text) * sizeof(uint64_t);
	block->at = mmap(NULL, block->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block->at == MAP_FAILED)
		pl_no_memory();
	pl_pool_cleanup(pool, unmap, block);
	if (!read_lines(text, block->at, &list->count, &line)) {
		list->count = 0;
		snprintf(why, 256, "%s:%zu: a line has more than %d bytes; is this a list of passwords?", path, line,
		    LINE_MAX_BYTES);
		return false;
	}
	sort(block->at, &list->count);
	list->hashes = block->at;
	if (list->count > 0)
		return true;
	snprintf(why, 256, "%s: contains no password; write one a line", path);
	return false;
}

/* How many bytes it read: fewer if the file became shorter meanwhile. A mapped file would end the process then. */
static ssize_t read_all(int fd, char *to, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		ssize_t n = read(fd, to + at, bytes - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static bool read_file(struct pl_pool *pool, int fd, const char *path, struct pl_blocklist *list, char why[256])
{
	struct stat st;
	void *text;
	ssize_t got;
	bool good;

	if (fstat(fd, &st) != 0) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > FILE_MAX_BYTES) {
		snprintf(why, 256, "%s: must be a file of 1 byte to 256 MiB with one password a line", path);
		return false;
	}
	text = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		pl_no_memory();
	got = read_all(fd, text, (size_t)st.st_size);
	good = got >= 0;
	if (good)
		good = read_text(pool, pl_strn(text, (size_t)got), path, list, why);
	else
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	munmap(text, (size_t)st.st_size);
	return good;
}

bool pl_blocklist_load(struct pl_pool *pool, const char *path, struct pl_blocklist *list_r, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool good;

	*list_r = (struct pl_blocklist){ 0 };
	if (fd < 0) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	good = read_file(pool, fd, path, list_r, why);
	close(fd);
	return good;
}

bool pl_blocklist_has(const struct pl_blocklist *list, struct pl_str password)
{
	size_t low = 0, high = list->count;	/* the hash is at low or above, and below high */
	uint64_t hash, first = 0, last = UINT64_MAX;

	if (list->count == 0 || password.len == 0)
		return false;
	hash = hash_of(password);
	for (int step = 0; low < high; step++) {
		size_t at = low + (high - low) / 2;

		if (step < 8 && last > first)	/* then the middle, in case that they are not evenly spread */
			at = low + (size_t)((unsigned __int128)(hash - first) * (high - low - 1) / (last - first));
		if (list->hashes[at] == hash)
			return true;
		if (list->hashes[at] < hash) {
			low = at + 1;
			first = list->hashes[at] + 1;
		} else {
			high = at;
			last = list->hashes[at] - 1;
		}
	}
	return false;
}

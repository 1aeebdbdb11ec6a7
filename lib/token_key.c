/* SPDX-License-Identifier: ISC */
/*
 * The file with the keys: refused when it is readable by others, or a key is short or known to the world.
 */
#include "keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define KEY_MIN_BYTES 32
#define KEY_MAX_BYTES 4096
#define FILE_MAX_BYTES (256 << 10)	/* more than a full ring of the longest keys */
#define SEAL_DIGITS 64
#define HOW_TO_MAKE "(umask 077; openssl rand -base64 48 > %s)"

/* What tutorials, frameworks and sample files print; any key that contains one of these, in any case, is refused. */
static const char *const samples[] = {
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
	"changeme", "change-me", "change_me", "change-this", "change_this", "change in production",
	"change-in-production", "change_in_production", "your-secret", "your_secret", "your-super-secret",
	"your-256-bit-secret", "a-string-secret-at-least-256-bits-long", "my-secret", "my_secret", "supersecret",
	"super-secret", "super_secret", "insecure", "example", "0123456789abcdef0123456789abcdef",
	"abcdefghijklmnopqrstuvwxyz",
};

static bool contains(struct pl_str text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= text.len; i++) {
		if (pl_str_ieq(pl_strn(text.ptr + i, len), pl_strn(word, len)))
			return true;
	}
	return false;
}

static bool is_sample(struct pl_str text)
{
	for (size_t i = 0; i < PL_COUNT(samples); i++) {
		if (contains(text, samples[i]))
			return true;
	}
	return false;
}

static bool is_repeated(struct pl_str text)
{
	return memcmp(text.ptr, text.ptr + 1, text.len - 1) == 0;
}

static bool mode_check(int fd, const char *path, char why[256])
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(why, 256, "%s: not a regular file; name the file that holds the signing key", path);
	} else if ((st.st_mode & 0026) != 0) {
		snprintf(why, 256, "%s: mode %04o lets others read or change the signing key; run: chmod 600 %s", path,
		    (unsigned)(st.st_mode & 07777), path);
	} else {
		return true;
	}
	return false;
}

/* What is wrong with a key, in `text_r` or a constant; NULL: nothing. */
static const char *key_fault(struct pl_str key, char text_r[64])
{
	if (key.len < KEY_MIN_BYTES) {
		snprintf(text_r, 64, "the key has %zu bytes; at least %d are required", key.len, KEY_MIN_BYTES);
		return text_r;
	}
	if (key.len > KEY_MAX_BYTES)
		return "more than 4096 bytes; is this the right file?";
	if (is_repeated(key))
		return "the key is one byte repeated";
	return is_sample(key) ? "the key is a known sample or a placeholder" : NULL;
}

/* Reads up to cap bytes; -1 and errno. */
static ssize_t read_all(int fd, char *out, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		ssize_t n = read(fd, out + have, cap - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* Both "\n" and "\r\n" are what editors leave behind. */
static struct pl_str trim_newline(struct pl_str text)
{
	if (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len > 0 && text.ptr[text.len - 1] == '\r')
		text.len--;
	return text;
}

/* ---- a file with one key ---- */

static bool read_single(struct pl_pool *pool, struct pl_str text, int64_t made_s, const char *path,
    struct pl_keyring *ring, char why[256])
{
	struct pl_str key = trim_newline(text);
	char short_text[64];
	const char *fault = key_fault(key, short_text);

	if (fault != NULL) {
		snprintf(why, 256, "%s: %s; generate one with: " HOW_TO_MAKE, path, fault, path);
		return false;
	}
	ring->single = true;
	pl_keyring_add(pool, ring, key, made_s);
	pl_seal_ring_derive(&ring->seals, key.ptr, key.len);
	return true;
}

/* ---- a ring ---- */

/* A line `key TIME HEX`. NULL, or what is wrong with it. */
static const char *ring_key(struct pl_pool *pool, struct pl_str rest, struct pl_keyring *ring, char text_r[64])
{
	unsigned char bytes[KEY_MAX_BYTES];
	struct pl_str when = PL_STR_NONE, digits;
	const char *fault;
	int64_t made_us;
	int last = ring->count;

	(void)pl_str_cut(&rest, ' ', &when);
	digits = pl_str_trim(rest);
	if (ring->count == PL_KEYRING_KEYS)
		return "at most 16 keys";
	if (when.ptr == NULL || !pl_time_parse(when.ptr, when.len, &made_us))
		return "after `key` comes the time when the key was made, such as 2026-11-29T08:00:00Z";
	if (digits.len == 0 || digits.len % 2 != 0 || digits.len > 2 * KEY_MAX_BYTES ||
	    !pl_unhex(digits, bytes, digits.len / 2))
		return "after the time comes the key, in hex digits; generate one with: openssl rand -hex 32";
	fault = key_fault(pl_strn((const char *)bytes, digits.len / 2), text_r);
	if (fault == NULL) {
		pl_keyring_add(pool, ring, pl_strn((const char *)bytes, digits.len / 2), made_us / PL_US_PER_S);
		if (pl_keyring_find(ring, ring->keys[last].kid) != last)
			fault = "the same key is already in a line above";
	}
	pl_wipe(bytes, sizeof(bytes));
	return fault;
}

static const char *ring_line(struct pl_pool *pool, struct pl_str line, struct pl_keyring *ring, char text_r[64])
{
	struct pl_str rest = line, word = PL_STR_NONE;

	(void)pl_str_cut(&rest, ' ', &word);
	rest = pl_str_trim(rest);
	if (pl_str_is(word, "key"))
		return ring_key(pool, rest, ring, text_r);
	if (!pl_str_is(word, "seal"))
		return "a line begins with `key` or `seal`";
	if (ring->seals.count == PL_SEAL_KEYS)
		return "at most 8 lines `seal`";
	return rest.len == SEAL_DIGITS && pl_seal_ring_add(&ring->seals, rest) ? NULL :
	    "after `seal` come 64 hex digits; generate them with: openssl rand -hex 32";
}

static bool read_ring(struct pl_pool *pool, struct pl_str text, const char *path, struct pl_keyring *ring,
    char why[256])
{
	struct pl_str line;
	int number = 0;

	while (pl_str_cut(&text, '\n', &line)) {
		char short_text[64];
		const char *fault;

		number++;
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		line = pl_str_trim(line);
		if (number == 1 && !pl_str_is(line, PL_KEYRING_HEAD))
			fault = "this version reads only key rings that begin with `" PL_KEYRING_HEAD "`";
		else if (number == 1 || line.len == 0 || line.ptr[0] == '#')
			continue;
		else
			fault = ring_line(pool, line, ring, short_text);
		if (fault == NULL)
			continue;
		snprintf(why, 256, "%s:%d: %s", path, number, fault);
		return false;
	}
	if (ring->count > 0)
		return true;
	snprintf(why, 256, "%s: the ring has no line `key`", path);
	return false;
}

static bool ring_read(struct pl_pool *pool, int fd, const char *path, struct pl_keyring *ring, char why[256])
{
	static const char head[] = "parlour-keys ";
	char *bytes;
	struct stat st;
	struct pl_str text;
	ssize_t n;
	bool ok = false;

	if (!mode_check(fd, path, why))
		return false;
	bytes = pl_new(FILE_MAX_BYTES);
	n = fstat(fd, &st) == 0 ? read_all(fd, bytes, FILE_MAX_BYTES) : -1;
	text = pl_strn(bytes, n > 0 ? (size_t)n : 0);
	if (n < 0)
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	else if (n == FILE_MAX_BYTES)
		snprintf(why, 256, "%s: more than 256 KiB; is this the right file?", path);
	else if (pl_str_starts(text, head))
		ok = read_ring(pool, text, path, ring, why);
	else
		ok = read_single(pool, text, st.st_mtime, path, ring, why);
	pl_wipe(bytes, FILE_MAX_BYTES);
	pl_free(bytes);
	return ok;
}

bool pl_keyring_load(struct pl_pool *pool, const char *path, struct pl_keyring *ring_r, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool ok;

	memset(ring_r, 0, sizeof(*ring_r));
	if (fd < 0) {
		if (errno == ENOENT)
			snprintf(why, 256, "%s: no such file; generate one with: " HOW_TO_MAKE, path, path);
		else
			snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	ok = ring_read(pool, fd, path, ring_r, why);
	close(fd);
	return ok;
}

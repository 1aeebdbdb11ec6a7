/* SPDX-License-Identifier: ISC */
/*
 * The file with the signing key: refused when it is readable by others, short, or known to the world.
 */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MIN_BYTES 32
#define KEY_MAX_BYTES 4096
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

static bool content_check(struct pl_str text, const char *path, char why[256])
{
	const char *fault = NULL;
	char short_text[64];

	if (text.len < KEY_MIN_BYTES) {
		snprintf(short_text, sizeof(short_text), "the key has %zu bytes; at least %d are required", text.len,
		    KEY_MIN_BYTES);
		fault = short_text;
	} else if (text.len > KEY_MAX_BYTES) {
		fault = "more than 4096 bytes; is this the right file?";
	} else if (is_repeated(text)) {
		fault = "the key is one byte repeated";
	} else if (is_sample(text)) {
		fault = "the key is a known sample or a placeholder";
	}
	if (fault != NULL)
		snprintf(why, 256, "%s: %s; generate one with: " HOW_TO_MAKE, path, fault, path);
	return fault == NULL;
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

static bool key_read(struct pl_pool *pool, int fd, const char *path, struct pl_token_key *key_r, char why[256])
{
	char bytes[KEY_MAX_BYTES + 3];	/* a newline and one byte too many */
	unsigned char digest[32];
	struct pl_str text;
	ssize_t n;
	bool ok;

	if (!mode_check(fd, path, why))
		return false;
	n = read_all(fd, bytes, sizeof(bytes));
	if (n < 0) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	text = trim_newline(pl_strn(bytes, (size_t)n));
	ok = content_check(text, path, why);
	if (ok) {
		key_r->secret = pl_secret_copy(pool, text.ptr, text.len);
		pl_sha256(text.ptr, text.len, digest);
		pl_hex(digest, 8, key_r->kid);
	}
	pl_wipe(bytes, sizeof(bytes));
	return ok;
}

bool pl_token_key_load(struct pl_pool *pool, const char *path, struct pl_token_key *key_r, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool ok;

	if (fd < 0) {
		if (errno == ENOENT)
			snprintf(why, 256, "%s: no such file; generate one with: " HOW_TO_MAKE, path, path);
		else
			snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	ok = key_read(pool, fd, path, key_r, why);
	close(fd);
	return ok;
}

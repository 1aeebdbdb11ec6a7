/* SPDX-License-Identifier: ISC */
/*
 * parlourctl token-key. A lock on the file keeps two of these from losing each other's key. The new file has its own
 * name until it is complete and on the disk; then rename() replaces the old one, so that a reader, and a machine that
 * loses its power, has the old file or the new one.
 */
#include "ctl/ctl_token_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "core/control.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_CANTCREAT = 73, EXIT_CONFIG = 78 };
enum { DAY_S = 86400, NEW_KEY_BYTES = 32 };
/* A link to a feedback request lives for a timeout of at most a year, and 30 days more (send_mail.c). */
#define LINK_LIFE_S (395LL * DAY_S)
#define USAGE_TEXT "token-key takes `rotate`, `list`, or `prune [ID]...`"

struct work {
	const struct ctl_token_key_opts *opts;
	struct pl_pool *pool;
	char path[PATH_MAX];		/* without symbolic links: they stay */
	int fd;				/* of the locked file */
	struct stat st;
	struct pl_keyring ring;
	int64_t now_s;
	struct pl_buf removed;		/* a line for each key that leaves */
	FILE *out;
	char *why;
};

static int fail(struct work *w, int status, const char *what)
{
	snprintf(w->why, 512, "%.250s: %.250s", w->path, what);
	return status;
}

/* The ring behind a lock. Who waits for the lock may find that the file was replaced meanwhile: then again. */
static int open_ring(struct work *w, int lock)
{
	const char *name = w->opts->config->s.key_file;
	struct stat now;
	char rule[256];

	if (realpath(name, w->path) == NULL) {
		snprintf(w->path, sizeof(w->path), "%s", name);
		return fail(w, EXIT_CONFIG, name[0] == '\0' ? "key_file is not set" : strerror(errno));
	}
	do {
		if (w->fd >= 0)
			close(w->fd);
		w->fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (w->fd < 0 || flock(w->fd, lock) != 0 || fstat(w->fd, &w->st) != 0 || stat(w->path, &now) != 0)
			return fail(w, EXIT_CONFIG, strerror(errno));
	} while (now.st_ino != w->st.st_ino || now.st_dev != w->st.st_dev);
	if (pl_keyring_load(w->pool, w->path, &w->ring, rule))
		return 0;
	snprintf(w->why, 512, "%s", rule);
	return EXIT_CONFIG;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return false;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool sync_directory(const char *path)
{
	char name[PATH_MAX];
	int fd;
	bool good;

	snprintf(name, sizeof(name), "%s", path);
	*strrchr(name, '/') = '\0';
	fd = open(name[0] != '\0' ? name : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* The owner of the old file must be able to read the new one: the daemon may run as that user. */
static const char *fill(struct work *w, int fd, struct pl_str text)
{
	if (fchown(fd, w->st.st_uid, w->st.st_gid) != 0)
		return "cannot change the owner of the new file; run this command as root, or as the owner";
	if (fchmod(fd, w->st.st_mode & 0640) != 0 || !write_all(fd, text.ptr, text.len) || fsync(fd) != 0)
		return strerror(errno);
	return NULL;
}

static int replace(struct work *w, struct pl_str text)
{
	char fresh[PATH_MAX + 8];
	const char *fault;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.new", w->path);
	unlink(fresh);			/* of a rotation that did not end; the lock says that nobody works on it */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(w, EXIT_CANTCREAT, pl_sprintf(w->pool, "cannot create a file beside it: %s",
		    strerror(errno)));
	fault = fill(w, fd, text);
	close(fd);
	if (fault == NULL && rename(fresh, w->path) != 0)
		fault = strerror(errno);
	if (fault != NULL) {
		unlink(fresh);
		return fail(w, EXIT_CANTCREAT, fault);
	}
	if (!sync_directory(w->path))
		fprintf(stderr, "parlourctl: %s: cannot sync the directory: %s\n", w->path, strerror(errno));
	return 0;
}

static int write_ring(struct work *w)
{
	struct pl_buf text = PL_BUF(NULL);
	int status;

	pl_buf_room(&text, 256 << 10);	/* in one block, because growing would leave secrets in freed memory */
	pl_keyring_format(&w->ring, &text);
	status = replace(w, pl_buf_str(&text));
	pl_wipe(text.ptr, text.cap);
	pl_buf_fini(&text);
	if (status == 0 && w->removed.len > 0)
		fprintf(w->out, "%s", w->removed.ptr);
	return status;
}

/* ---- how long a key is needed ---- */

/* A day is for the time from the rotation until the daemon has read the ring, and for clocks that differ. */
static int64_t life_s(const struct settings *s)
{
	int64_t longest_ms = s->refresh_token_life > s->access_token_life ? s->refresh_token_life :
	    s->access_token_life;
	int64_t longest_s = longest_ms / 1000;

	if (s->public_url[0] != '\0' && longest_s < LINK_LIFE_S)
		longest_s = LINK_LIFE_S;	/* without public_url, no links are mailed */
	return longest_s + DAY_S;
}

/* When nothing that this key signed is valid any longer. The key before it took over when it was made. */
static int64_t needed_until_s(const struct work *w, int at)
{
	int64_t stopped_s = 0;

	for (int i = 0; i < at; i++)
		stopped_s = w->ring.made_s[i] > stopped_s ? w->ring.made_s[i] : stopped_s;
	return stopped_s + life_s(&w->opts->config->s);
}

static const char *day(struct pl_pool *pool, int64_t wall_s)
{
	char text[PL_TIME_LEN];

	pl_time_format(wall_s * PL_US_PER_S, text);
	return pl_sprintf(pool, "%.10s %.5s UTC", text, text + 11);
}

static void take_out(struct work *w, int at)
{
	struct pl_keyring *ring = &w->ring;
	size_t behind = (size_t)(ring->count - at - 1);

	pl_buf_addf(&w->removed, "key %s removed\n", ring->keys[at].kid);
	memmove(&ring->keys[at], &ring->keys[at + 1], behind * sizeof(ring->keys[0]));
	memmove(&ring->made_s[at], &ring->made_s[at + 1], behind * sizeof(ring->made_s[0]));
	ring->count--;
}

static int take_out_old(struct work *w)
{
	int removed = 0;

	for (int i = w->ring.count - 1; i > 0; i--)
		if (needed_until_s(w, i) < w->now_s) {
			take_out(w, i);
			removed++;
		}
	return removed;
}

/* ---- the words ---- */

/* The daemon reads the ring. Without a daemon, the next start does. */
static int tell_daemon(struct work *w)
{
	const char *socket = w->opts->config->s.control_socket;
	struct pl_buf version = PL_BUF(NULL), reply = PL_BUF(NULL);
	char why[512];
	int status = 0;

	if (!control_ask(socket, "version", &version, why)) {
		fprintf(w->out, "%s; the change takes effect when it starts or reloads\n", why);
	} else if (!control_ask(socket, "reload", &reply, why)) {
		snprintf(w->why, 512, "the file was changed, but the daemon did not read it: %.400s", why);
		status = EXIT_REFUSED;
	} else {
		fprintf(w->out, "the daemon has read the keys\n");
	}
	pl_buf_fini(&version);
	pl_buf_fini(&reply);
	return status;
}

static int run_rotate(struct work *w)
{
	unsigned char bytes[NEW_KEY_BYTES];
	struct pl_keyring fresh = { .seals = w->ring.seals };
	int status;

	(void)take_out_old(w);
	if (w->ring.count == PL_KEYRING_KEYS)
		return fail(w, EXIT_NOT_POSSIBLE, "the ring is full, and all keys are still needed; `token-key prune "
		    "ID` removes one, and ends what was signed with it");
	if (w->ring.single && w->opts->config->s.seal_keys[0] != '\0')
		fresh.seals.count = 0;	/* the key that is derived from the old key was not in use */
	pl_random(bytes, sizeof(bytes));
	pl_keyring_add(w->pool, &fresh, pl_strn((const char *)bytes, sizeof(bytes)), w->now_s);
	pl_wipe(bytes, sizeof(bytes));
	for (int i = 0; i < w->ring.count; i++) {
		const struct pl_secret *secret = &w->ring.keys[i].secret;

		pl_keyring_add(w->pool, &fresh, pl_strn((const char *)secret->ptr, secret->len), w->ring.made_s[i]);
	}
	w->ring = fresh;
	status = write_ring(w);
	if (status != 0)
		return status;
	fprintf(w->out, "key %s added to %s\n", w->ring.keys[0].kid, w->path);
	return tell_daemon(w);
}

static int run_list(struct work *w)
{
	fprintf(w->out, "%-16s  %-20s  %8s  %s\n", "ID", "MADE", "AGE", "USE");
	for (int i = 0; i < w->ring.count; i++) {
		int64_t made_s = w->ring.made_s[i], until_s = needed_until_s(w, i);

		fprintf(w->out, "%-16s  %-20s  %6lld d  ", w->ring.keys[i].kid, day(w->pool, made_s),
		    (long long)((w->now_s - made_s) / DAY_S));
		if (i == 0)
			fprintf(w->out, "signs and verifies\n");
		else
			fprintf(w->out, until_s < w->now_s ? "not needed since %s\n" : "verifies; needed until %s\n",
			    day(w->pool, until_s));
	}
	return 0;
}

/* Does the running daemon sign with this key, because one of its processes does not have the new one yet? */
static bool signs_now(const struct work *w, const char *id)
{
	struct pl_buf reply = PL_BUF(NULL);
	char why[512];
	struct pl_str rest, line = PL_STR_NONE;
	bool signs = control_ask(w->opts->config->s.control_socket, "key", &reply, why);

	rest = pl_buf_str(&reply);
	signs = signs && pl_str_cut(&rest, '\n', &line) && pl_str_is(line, id);
	pl_buf_fini(&reply);
	return signs;
}

static int prune_named(struct work *w)
{
	for (int i = 1; i < w->opts->argc; i++) {
		int at = pl_keyring_find(&w->ring, w->opts->argv[i]);

		if (at < 0)
			return fail(w, EXIT_NOT_POSSIBLE, pl_sprintf(w->pool,
			    "there is no key %s; `token-key list` prints them", w->opts->argv[i]));
		if (at == 0)
			return fail(w, EXIT_NOT_POSSIBLE, pl_sprintf(w->pool,
			    "key %s signs; run `token-key rotate` first", w->opts->argv[i]));
		if (signs_now(w, w->opts->argv[i]))
			return fail(w, EXIT_NOT_POSSIBLE, pl_sprintf(w->pool,
			    "key %s still signs, until every process of the daemon has read the new key; run this "
			    "command again in a few seconds", w->opts->argv[i]));
		take_out(w, at);
	}
	return 0;
}

static int run_prune(struct work *w)
{
	int had = w->ring.count, status = 0;

	if (w->opts->argc > 1)
		status = prune_named(w);
	else
		(void)take_out_old(w);
	if (status == 0 && w->ring.count == had)
		fprintf(w->out, "all %d keys are needed\n", had);
	else if (status == 0 && (status = write_ring(w)) == 0)
		status = tell_daemon(w);
	return status;
}

static const struct word { const char *name; int (*run)(struct work *w); int args_max, lock; } words[] = {
	{ "rotate", run_rotate, 0, LOCK_EX },
	{ "list", run_list, 0, LOCK_SH },
	{ "prune", run_prune, PL_KEYRING_KEYS, LOCK_EX },
};

int ctl_token_key(const struct ctl_token_key_opts *opts, FILE *out, char why[512])
{
	struct work w = { .opts = opts, .fd = -1, .now_s = pl_wall_us() / PL_US_PER_S, .out = out, .why = why };
	const struct word *word = NULL;
	int status;

	for (size_t i = 0; opts->argc > 0 && i < PL_COUNT(words); i++)
		if (strcmp(words[i].name, opts->argv[0]) == 0 && opts->argc - 1 <= words[i].args_max)
			word = &words[i];
	if (word == NULL) {
		snprintf(why, 512, "%s", USAGE_TEXT);
		return EXIT_USAGE;
	}
	w.pool = pl_pool_new(0);
	w.removed = PL_BUF(w.pool);
	status = open_ring(&w, word->lock);
	if (status == 0)
		status = word->run(&w);
	if (w.fd >= 0)
		close(w.fd);
	pl_pool_free(&w.pool);
	return status;
}

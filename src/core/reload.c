/* SPDX-License-Identifier: ISC */
/* Reads the configuration again. If the whole of it is valid, all processes use it; otherwise, nothing changes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "core/settings_check.h"
#include "core/supervise.h"
#include "log.h"

#define PACKED_MAX_BYTES (4ULL << 30)

/* How the descriptor begins. Each child maps the hashes, so that there is one copy of a long list. */
struct packed { uint64_t bytes, hashes; };	/* of the configuration; hashes behind it, 8-aligned */

static void note_kept(void *arg, const char *name)
{
	pl_log(PL_LOG_WARN, NULL, "setting needs a restart; the old value stays in effect", "setting=%s", name);
	pl_buf_addf(arg, "%s needs a restart; the old value stays in effect\n", name);
}

struct config *reload_read(const char *path, const struct master_opts *opts, const struct config *old,
    struct pl_buf *kept, char why[512])
{
	struct config *fresh = config_read(path, opts->overrides, opts->overrides_count, why);

	if (fresh == NULL)
		return NULL;
	if (!config_secrets(fresh, why)) {
		config_release(&fresh);
		return NULL;
	}
	config_keep_restart_only(fresh, old, note_kept, kept);
	/* new values together with old ones, and the files that upper layers read at a reload */
	if (!config_check(fresh, why) || (opts->check != NULL && !opts->check(why)))
		config_release(&fresh);
	return fresh;
}

static bool write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

int reload_pack(const struct config *config)
{
	static const char zeros[sizeof(uint64_t)];
	struct packed head = { .hashes = config->blocklist.count };
	struct pl_buf bytes = PL_BUF(NULL);
	int fd = memfd_create("parlour-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool good;

	if (fd < 0)
		return -1;
	config_pack(config, &bytes);
	head.bytes = bytes.len;
	good = write_all(fd, &head, sizeof(head)) && write_all(fd, bytes.ptr, bytes.len) &&
	    write_all(fd, zeros, -bytes.len % sizeof(zeros)) &&
	    write_all(fd, config->blocklist.hashes, config->blocklist.count * sizeof(uint64_t)) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
	pl_wipe(bytes.ptr, bytes.cap);
	pl_buf_fini(&bytes);
	if (good)
		return fd;
	close(fd);
	return -1;
}

struct mapped { void *at; size_t bytes; };

static void unmap(void *arg)
{
	struct mapped *mapped = arg;

	munmap(mapped->at, mapped->bytes);
}

/* The mapping stays as long as the configuration, if a list of passwords is in it. */
static struct config *unpack(struct mapped file, char why[512])
{
	const struct packed *head = file.at;
	size_t at = sizeof(*head) + (head->bytes + 7) / 8 * 8;
	struct config *config = NULL;
	struct mapped *kept;

	if (head->bytes <= file.bytes && at <= file.bytes && head->hashes == (file.bytes - at) / sizeof(uint64_t))
		config = config_unpack(pl_strn((const char *)file.at + sizeof(*head), head->bytes), why);
	else
		snprintf(why, 512, "the packed configuration (%zu bytes) is damaged", file.bytes);
	if (config == NULL || head->hashes == 0) {
		munmap(file.at, file.bytes);
		return config;
	}
	config->blocklist.hashes = (const uint64_t *)((const char *)file.at + at);
	config->blocklist.count = head->hashes;
	kept = pl_alloc(config->pool, sizeof(*kept));
	*kept = file;
	pl_pool_cleanup(config->pool, unmap, kept);
	return config;
}

struct config *reload_unpack(int fd, char why[512])
{
	struct config *config = NULL;
	struct mapped file = { .at = MAP_FAILED };
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct packed) &&
	    (uint64_t)st.st_size <= PACKED_MAX_BYTES) {
		file.bytes = (size_t)st.st_size;
		file.at = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (file.at == MAP_FAILED)
		snprintf(why, 512, "the new configuration cannot be read");
	else
		config = unpack(file, why);
	if (fd >= 0)
		close(fd);
	return config;
}

void reload_hand_over_logs(const struct master *m)
{
	const char *paths[] = { m->config->s.log, m->config->s.access_log };

	for (size_t i = 0; m->priv.active && i < PL_COUNT(paths); i++)
		if (strchr(paths[i], '/') != NULL && lchown(paths[i], m->priv.uid, m->priv.gid) != 0)
			pl_log(PL_LOG_WARN, NULL,
			    "cannot change the owner of a log file", "file=%s why=%s", paths[i], strerror(errno));
}

/* Numbers tell apart which configuration a child has; they may wrap. */
static void send_config(struct master *m, int fd)
{
	struct channel_msg msg = { .kind = CHANNEL_RELOAD };

	m->reload = m->reload < INT32_MAX ? m->reload + 1 : 1;
	msg.number = m->reload;
	children_tell(m, &msg, fd);
	close(fd);
}

static bool swap(struct master *m, struct config *fresh, char why[512])
{
	int fd = reload_pack(fresh);

	if (fd < 0) {
		snprintf(why, 512, "cannot pass the configuration to the workers: %s", strerror(errno));
		return false;
	}
	if (!proc_log_open(fresh, why)) {
		char ignored[256];

		close(fd);
		/* restores the old values as far as they were replaced */
		if (!proc_log_open(m->config, ignored))
			pl_log(PL_LOG_WARN, NULL, "log", "why=%s", ignored);
		return false;
	}
	config_release(&m->config);
	m->config = fresh;
	reload_hand_over_logs(m);
	atomic_fetch_add(&m->shm->head->config_version, 1);
	send_config(m, fd);
	return true;
}

void reload_keys(struct master *m)
{
	struct pl_keyring *keys = &m->config->keys;
	int sign = keys->sign, fd;

	if (sign == 0)
		return;
	for (int i = 0; i < m->children_count; i++) {
		const struct child *child = &m->children[i];

		if (child->kind != PROC_HASHER && child->pid > 0 && child->reload != m->reload)
			return;
	}
	keys->sign = 0;
	fd = reload_pack(m->config);
	if (fd < 0) {
		keys->sign = sign;	/* no memory: again at the next tick */
		return;
	}
	send_config(m, fd);
	pl_log(PL_LOG_INFO, NULL, "new tokens are signed with the new key", "key=%s", keys->keys[0].kid);
}

static void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * PL_US_PER_S + now.tv_nsec / 1000);
}

bool reload_run(struct master *m, struct pl_buf *kept, char why[512])
{
	struct config *fresh;
	bool good;

	if (m->phase == MASTER_STOPPING) {
		snprintf(why, 512, "the daemon is stopping");
		return false;
	}
	notify_reloading();
	fresh = reload_read(m->config_named ? m->config_path : NULL, m->opts, m->config, kept, why);
	good = fresh != NULL && swap(m, fresh, why);
	if (!good) {
		config_release(&fresh);
		pl_log(PL_LOG_ERROR, NULL, "reload refused; the old configuration stays in effect", "why=%s", why);
	} else {
		pl_log(PL_LOG_INFO, NULL, "reloaded", "version=%llu",
		    (unsigned long long)atomic_load(&m->shm->head->config_version));
	}
	if (m->phase == MASTER_RUNNING)
		notify_send("READY=1");
	return good;
}

void reload_reopen(struct master *m)
{
	struct channel_msg msg = { .kind = CHANNEL_REOPEN };

	pl_log_reopen();
	reload_hand_over_logs(m);
	children_tell(m, &msg, -1);
	pl_log(PL_LOG_INFO, NULL, "log files reopened", NULL);
}

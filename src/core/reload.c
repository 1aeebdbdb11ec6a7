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

#define PACKED_MAX_BYTES (4 << 20)

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

int reload_pack(const struct config *config)
{
	struct pl_buf bytes = PL_BUF(NULL);
	int fd = memfd_create("parlour-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool good;

	if (fd < 0)
		return -1;
	config_pack(config, &bytes);
	good = write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
	pl_wipe(bytes.ptr, bytes.cap);
	pl_buf_fini(&bytes);
	if (good)
		return fd;
	close(fd);
	return -1;
}

struct config *reload_unpack(int fd, char why[512])
{
	struct config *config = NULL;
	struct stat st;
	void *bytes = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= PACKED_MAX_BYTES)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		snprintf(why, 512, "the new configuration cannot be read");
	} else {
		config = config_unpack(pl_strn(bytes, (size_t)st.st_size), why);
		munmap(bytes, (size_t)st.st_size);
	}
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

/* SPDX-License-Identifier: ISC */
/* The master: start in a fixed order, then one loop for signals, channels, and the control socket, then the end. */
#include "core/master.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core/shm_parts.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "log.h"

#define LOOP_MS 250
#define STDIO_FDS 3
#define ANSWER_SHARE (64 << 10)		/* per answer, if answer_memory is not set */
#define ANSWER_MEMORY_MIN (16 << 20)

static bool give_up(void *arg, int wait_ms)
{
	const struct master *m = arg;

	return signals_stop_within(m->signal_fd, wait_ms);
}

static void tell_parent(struct master *m, int status)
{
	struct { int status; char why[512]; } note = { .status = status };

	snprintf(note.why, sizeof(note.why), "%s", m->why);
	if (write(m->ready_fd, &note, sizeof(note)) < 0)
		pl_log(PL_LOG_WARN, NULL, "the process that started the daemon has ended", NULL);
	close(m->ready_fd);
	m->ready_fd = -1;
}

/* Reports the reason to all that wait: the log, the parent of the daemon, and the shell. */
static int refuse(struct master *m, int status)
{
	if (m->logging)
		pl_log(PL_LOG_ERROR, NULL, "not started", "status=%d why=%s", status, m->why);
	if (m->ready_fd >= 0)
		tell_parent(m, status);
	else if (!m->logging || strcmp(m->config->s.log, "stderr") != 0)
		fprintf(stderr, "parlourd: %s\n", m->why);
	return status;
}

static int read_config(struct master *m)
{
	const struct master_opts *opts = m->opts;

	if (opts->config_path != NULL && realpath(opts->config_path, m->config_path) == NULL) {
		snprintf(m->why, sizeof(m->why), "%.400s: %s", opts->config_path, strerror(errno));
		return STATUS_CONFIG;
	}
	m->config_named = opts->config_path != NULL;
	m->config = config_read(m->config_named ? m->config_path : NULL, opts->overrides, opts->overrides_count,
	    m->why);
	if (m->config == NULL || !config_secrets(m->config, m->why))
		return STATUS_CONFIG;
	return priv_find(m->config, &m->priv, m->why);
}

/* The daemon's directory is /, so paths must not depend on the directory where it was started. */
static int check_absolute(struct master *m)
{
	const struct settings *s = &m->config->s;
	const struct { const char *name, *value; } paths[] = {
		{ "pid_file", s->pid_file }, { "control_socket", s->control_socket }, { "key_file", s->key_file },
		{ "access_log", strcmp(s->access_log, "-") == 0 ? "" : s->access_log },
		{ "log", strcmp(s->log, "stderr") == 0 || strcmp(s->log, "syslog") == 0 ? "" : s->log },
	};

	for (size_t i = 0; i < PL_COUNT(paths); i++) {
		if (paths[i].value[0] == '\0' || paths[i].value[0] == '/')
			continue;
		snprintf(m->why, sizeof(m->why), "%s: a daemon needs an absolute path (or start with -f)",
		    paths[i].name);
		return STATUS_CONFIG;
	}
	return 0;
}

/* The parent exits with the status of the daemon. */
static PL_NORETURN void await_daemon(int in)
{
	struct { int status; char why[512]; } note = { .status = STATUS_OSERR,
	    .why = "the daemon died while starting" };
	ssize_t got;

	do
		got = read(in, &note, sizeof(note));
	while (got < 0 && errno == EINTR);
	note.why[sizeof(note.why) - 1] = '\0';
	if (note.status != 0)
		fprintf(stderr, "parlourd: %s\n", note.why);
	_exit(note.status);
}

static int daemonise(struct master *m)
{
	int ends[2], status = check_absolute(m);
	pid_t pid;

	if (status != 0)
		return status;
	if (pipe(ends) != 0 || (pid = fork()) < 0) {
		snprintf(m->why, sizeof(m->why), "cannot fork: %s", strerror(errno));
		return STATUS_OSERR;
	}
	if (pid > 0) {
		close(ends[1]);
		await_daemon(ends[0]);
	}
	close(ends[0]);
	m->ready_fd = ends[1];
	proc_log_daemon();
	if (setsid() >= 0 && chdir("/") == 0)
		return 0;
	snprintf(m->why, sizeof(m->why), "cannot leave the terminal: %s", strerror(errno));
	return STATUS_OSERR;
}

static int open_process(struct master *m)
{
	proc_name("master", -1);
	umask(027);
	proc_raise_files();
	m->signal_fd = signals_open();
	if (m->signal_fd < 0 || !proc_null_stdio(false)) {
		snprintf(m->why, sizeof(m->why), "cannot set up signals or open /dev/null: %s", strerror(errno));
		return STATUS_OSERR;
	}
	if (!proc_log_open(m->config, m->why))
		return STATUS_CANTCREAT;
	m->logging = true;
	reload_hand_over_logs(m);
	return 0;
}

/* Returns the number of pages: one for each answer, and the pool that answer_memory asks for. */
static uint32_t text_pages(const struct settings *s)
{
	int64_t whole = s->generations * s->max_answer, pool = s->answer_memory;

	if (pool == 0) {
		pool = s->generations * ANSWER_SHARE;
		pool = pool > ANSWER_MEMORY_MIN ? pool : ANSWER_MEMORY_MIN;
		pool = pool < whole ? pool : whole;
	}
	return (uint32_t)(s->generations + (pool + SHM_TEXT_PAGE - 1) / SHM_TEXT_PAGE);
}

static int make_shared(struct master *m)
{
	const struct settings *s = &m->config->s;
	struct shm_sizes sizes = {
		.workers_max = (uint32_t)s->max_workers, .slots = 2 * ((uint32_t)s->max_workers + SHM_ASIDE),
		.rate_pairs = (uint32_t)s->rate_slots, .revoked_pairs = 65536,
		.ring_bytes = (uint32_t)s->ring_size, .generations = (uint32_t)s->generations,
		.text_pages = text_pages(s),
	};

	m->shm = shm_new(&sizes, m->why);
	if (m->shm == NULL)
		return STATUS_OSERR;
	atomic_store(&m->shm->head->config_version, 1);
	children_init(m);
	if (m->opts->single || pairs_make(m, m->why))
		return 0;
	return STATUS_OSERR;
}

/* The order matters: errors of the configuration are reported first, and what others can see is created last. */
static int prepare(struct master *m)
{
	int status = read_config(m);

	if (status == 0 && !m->opts->foreground && !m->opts->single)
		status = daemonise(m);
	if (status == 0)
		status = open_process(m);
	if (status == 0)
		status = pidfile_open(&m->pidfile, m->config->s.pid_file, m->why);
	if (status == 0)
		status = control_open(m, m->why);
	if (status == 0)
		status = listen_open(&m->listen, m->config, give_up, m, m->why);
	if (status == 0)
		status = preflight_run(m, m->why);
	if (status == 0)
		status = make_shared(m);
	if (status == 0 && !pidfile_write(&m->pidfile, getpid())) {
		snprintf(m->why, sizeof(m->why), "pid_file: %.300s: %s", m->pidfile.path, strerror(errno));
		status = STATUS_CANTCREAT;
	}
	return status;
}

static void act(struct master *m, const struct signal_row *row)
{
	struct pl_buf kept = PL_BUF(NULL);
	char why[512];

	pl_log(row->act == SIGNAL_CHILD ? PL_LOG_DEBUG : PL_LOG_INFO, NULL, "signal", "name=%s", row->name);
	switch (row->act) {
	case SIGNAL_STOP:
	case SIGNAL_DRAIN:
		supervise_stop(m, row->act == SIGNAL_STOP);
		break;
	case SIGNAL_RELOAD:
		if (!reload_run(m, &kept, why) && m->phase == MASTER_STOPPING)
			pl_log(PL_LOG_INFO, NULL, "no reload", "why=%s", why);
		break;
	case SIGNAL_REOPEN:
		reload_reopen(m);
		break;
	case SIGNAL_MORE:
		supervise_more(m);
		break;
	case SIGNAL_LESS:
		supervise_less(m);
		break;
	case SIGNAL_UPGRADE:
		pl_log(PL_LOG_WARN, NULL, "binary upgrade is not supported", NULL);
		break;
	case SIGNAL_CHILD:
		children_reap(m);
		break;
	case SIGNAL_NONE:
		break;
	}
	pl_buf_fini(&kept);
}

static void loop_once(struct master *m)
{
	struct pollfd polls[1 + CONTROL_POLLS + CHILDREN_MAX];
	struct child *owner[CHILDREN_MAX];
	const struct signal_row *row;
	int control_count = control_polls(m->control, polls + 1), base = 1 + control_count, count = 0;
	int64_t now_ns;

	polls[0] = (struct pollfd){ .fd = m->signal_fd, .events = POLLIN };
	for (int i = 0; i < m->children_count; i++) {
		if (m->children[i].channel < 0)
			continue;
		owner[count] = &m->children[i];
		polls[base + count++] = (struct pollfd){ .fd = m->children[i].channel, .events = POLLIN };
	}
	if (poll(polls, (nfds_t)(base + count), LOOP_MS) < 0 && errno != EINTR)
		pl_log(PL_LOG_ERROR, NULL, "poll", "why=%s", strerror(errno));
	now_ns = pl_now_ns();
	for (int i = 0; i < count; i++)
		if (polls[base + i].revents != 0)
			supervise_channel(m, owner[i]);
	while ((row = signals_next(m->signal_fd)) != NULL)
		act(m, row);
	control_run(m, polls + 1, control_count, now_ns);
	supervise_tick(m, pl_now_ns());
	supervise_check_end(m);
}

static void master_fini(struct master *m)
{
	control_close(m, true);
	listen_close(&m->listen, true);
	pidfile_close(&m->pidfile);
	for (int i = 0; m->pairs != NULL && i < m->workers_max * m->hashers; i++)
		for (int side = 0; side < 2; side++)
			if (m->pairs[i][side] >= 0)
				close(m->pairs[i][side]);
	pl_free(m->pairs);
	shm_free(&m->shm);
	config_release(&m->config);
	if (m->signal_fd >= 0)
		close(m->signal_fd);
}

static int supervise(struct master *m)
{
	proc_hide_memory();
	pl_log(PL_LOG_INFO, NULL, "starting", "version=%s workers=%lld hashers=%d shared_mb=%zu", status_version(),
	    (long long)m->config->s.workers, m->hashers, m->shm->bytes >> 20);
	while (!m->done)
		loop_once(m);
	pl_log(PL_LOG_INFO, NULL, "stopped", "status=%d up_ms=%lld", m->status,
	    (long long)((pl_now_ns() - m->started_ns) / PL_NS_PER_MS));
	return m->status;
}

/* If a worker never started, reports it to the process that started the daemon. */
static int run(struct master *m)
{
	int status = prepare(m);

	if (status != 0)
		return refuse(m, status);
	if (m->opts->single)
		return single_run(m);
	status = supervise(m);
	if (status != 0 && !m->ever_up)
		return refuse(m, status);
	return status;
}

int master_run(const struct master_opts *opts)
{
	struct master *m = pl_new(sizeof(*m));
	int status;

	m->opts = opts;
	m->signal_fd = m->ready_fd = m->pidfile.fd = -1;
	m->started_ns = pl_now_ns();
	if (listen_inherit(&m->listen, m->why)) {
		closefrom(STDIO_FDS + m->listen.count);
		status = run(m);
	} else {
		status = refuse(m, STATUS_CONFIG);
	}
	if (m->ready_fd >= 0)
		close(m->ready_fd);	/* stopped before it was ready: the parent reports that */
	master_fini(m);
	pl_free(m);
	return status;
}

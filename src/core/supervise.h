/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the master; only for src/core/.
 */
#ifndef CORE_SUPERVISE_H
#define CORE_SUPERVISE_H

#include <poll.h>
#include <sys/types.h>

#include "core/channel.h"
#include "core/listen.h"
#include "core/master.h"
#include "core/proc.h"

#define STATUS_UNAVAILABLE 69
#define STATUS_OSERR 71
#define STATUS_CANTCREAT 73
#define STATUS_NOPERM 77
#define STATUS_CONFIG 78

#define CHILDREN_MAX (64 + SHM_ASIDE + SHM_HASHERS_MAX)

/* A process that runs, should run, or has run. Its place in the array never changes. */
struct child {
	enum proc_kind kind;
	int index;			/* slot of a worker, the clerk, or the courier; number of a hasher */
	pid_t pid;			/* 0: none */
	int channel;			/* our end; -1 */
	bool wanted;			/* it is restarted when it dies */
	bool up;			/* it reported that its start succeeded */
	bool drained;			/* it was asked to end */
	int32_t reload;			/* number of the configuration that it has: see master.reload */
	int64_t started_ns;
	int64_t again_ns;		/* pid 0 and wanted: do not start it before */
	int64_t kill_ns;		/* 0, or when it is killed */
	int backoff_s;
};

enum master_phase { MASTER_STARTING, MASTER_RUNNING, MASTER_STOPPING };

struct control;

struct master {
	const struct master_opts *opts;
	char config_path[4096];
	CONFIG_HELD struct config *config;
	struct shm *shm;
	struct priv priv;
	struct listen_set listen;
	struct pidfile pidfile;
	struct control *control;
	struct child children[CHILDREN_MAX];
	int children_count, hashers, workers_max;
	int (*pairs)[2];		/* [slot * hashers + hasher]: worker's end, hasher's end */
	int signal_fd, ready_fd;	/* ready_fd: to the parent that waits for the start of a daemon; -1 */
	enum master_phase phase;
	bool hurried;			/* TERM, not QUIT */
	bool ever_up, config_named, logging;
	int32_t reload;			/* number of the newest configuration that was sent to the children */
	int failures;			/* workers that died before any was up */
	int status;			/* of the exit */
	bool done;
	int64_t started_ns, ticked_ns, patient_until_ns, notified_ns;
	char why[512];
};

/* spawn.c */
void children_init(struct master *m);
bool pairs_make(struct master *m, char why[512]) PL_MUSTCHECK;
void child_spawn(struct master *m, struct child *child);
void children_reap(struct master *m);
void children_tell(struct master *m, const struct channel_msg *msg, int pass_fd);
void child_tell(struct master *m, struct child *child, const struct channel_msg *msg, int pass_fd);
const char *child_what(const struct child *child);
void child_kill(struct child *child, const char *why);
/* Forks. Returns 0 in the child, which has closed the descriptors of the master and does not handle signals. */
pid_t child_fork(struct master *m) PL_MUSTCHECK;

/* supervise.c: what happens by time and on request. */
void supervise_tick(struct master *m, int64_t now_ns);
void supervise_channel(struct master *m, struct child *child);
void supervise_more(struct master *m);
void supervise_less(struct master *m);
void supervise_stop(struct master *m, bool hurried);
void supervise_check_end(struct master *m);

/* reload.c: a fresh configuration that may replace `old`; `kept` gets a line per setting that needs a restart. */
struct config *reload_read(const char *path, const struct master_opts *opts, const struct config *old,
    struct pl_buf *kept, char why[512]) PL_MUSTCHECK;
/* A sealed descriptor of config_pack() bytes; -1 and errno. */
int reload_pack(const struct config *config) PL_MUSTCHECK;
/* Reads such a descriptor and closes it. */
struct config *reload_unpack(int fd, char why[512]) PL_MUSTCHECK;
bool reload_run(struct master *m, struct pl_buf *kept, char why[512]) PL_MUSTCHECK;
/*
 * Each tick: when every process has the ring in which a new key is the first one, lets this key sign. Until then a
 * token that one worker signs with it would be refused by a worker that reads the new configuration a moment later.
 */
void reload_keys(struct master *m);
void reload_reopen(struct master *m);
void reload_hand_over_logs(const struct master *m);	/* to the user of the children */

/* preflight.c: opts->preflight as the unprivileged user in a process of its own. 0 or an exit status. */
int preflight_run(struct master *m, char why[512]) PL_MUSTCHECK;

/* status.c */
void status_render(const struct master *m, struct pl_buf *out);
const char *status_version(void);

/* control.c */
int control_open(struct master *m, char why[512]) PL_MUSTCHECK;
int control_polls(const struct control *control, struct pollfd *polls);	/* at most CONTROL_POLLS; returns how many */
void control_run(struct master *m, const struct pollfd *polls, int count, int64_t now_ns);
void control_close(struct master *m, bool remove_file);
#define CONTROL_CLIENTS 8
#define CONTROL_POLLS (CONTROL_CLIENTS + 1)

/* single.c: -f -1. */
int single_run(struct master *m);

#endif

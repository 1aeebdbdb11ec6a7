/* SPDX-License-Identifier: ISC */
/*
 * The watchers of sessions on this worker, and the notification that a session changed, over all workers.
 *
 * The notification is a hint without content: a watcher reads the changes from PostgreSQL. So order, size, and lost
 * events of the rings do not matter; when events may be lost, every watcher is notified.
 */
#ifndef SVC_SESSION_LIVE_H
#define SVC_SESSION_LIVE_H

#include "leaf.h"
#include "svc/svc.h"

/* Embedded in its owner, which fills in id (lower case) and changed. */
struct session_watcher {
	char id[PL_UUID_LEN + 1];
	/* The session has new messages, or has ended. Must not remove watchers. */
	void (*changed)(struct session_watcher *watcher);
	struct session_watcher *next;
};

struct session_live;
/* Registers with svc->bus. */
struct session_live *session_live_new(struct svc *svc);
/* There must be no watchers. */
void session_live_free(struct session_live **live);

void session_live_add(struct session_live *live, struct session_watcher *watcher);
void session_live_remove(struct session_live *live, struct session_watcher *watcher);
/* A change was committed. id: of a session, in any case of letters; another text has no watchers. */
void session_live_changed(struct svc *svc, struct pl_str id);

#endif

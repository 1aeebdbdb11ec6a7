/* SPDX-License-Identifier: ISC */
/*
 * Who on this worker watches which session, and the word that a session changed, over all workers.
 *
 * The word is a hint and carries nothing: a watcher reads what is new from PostgreSQL. So order, size and lost events
 * of the rings are no matter here; when events may be lost, every watcher is told.
 */
#ifndef SVC_SESSION_LIVE_H
#define SVC_SESSION_LIVE_H

#include "leaf.h"
#include "svc/svc.h"

/* Embedded in its owner, which fills id (lower case) and changed. */
struct session_watcher {
	char id[PL_UUID_LEN + 1];
	/* Something was said in it, or it ended. May not remove watchers. */
	void (*changed)(struct session_watcher *watcher);
	struct session_watcher *next;
};

struct session_live;
/* Registers with svc->bus. */
struct session_live *session_live_new(struct svc *svc);
/* All watchers are gone by then. */
void session_live_free(struct session_live **live);

void session_live_add(struct session_live *live, struct session_watcher *watcher);
void session_live_remove(struct session_live *live, struct session_watcher *watcher);
/* A change was committed. id: of a session, in any case; another text is nobody's. */
void session_live_changed(struct svc *svc, struct pl_str id);

#endif

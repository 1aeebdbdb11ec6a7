/* SPDX-License-Identifier: ISC */
/*
 * What the use cases of one process stand on. Made once per worker, clerk, and courier by app.c; no evhttp, no SQL, no
 * statuses.
 */
#ifndef SVC_SVC_H
#define SVC_SVC_H

#include "core/shm_parts.h"
#include "core/worker.h"
#include "db/db.h"
#include "llm/llm.h"

struct bus;
struct hub;
struct chat;
struct auth_cache;
struct answers;
struct role_answers;
struct signaling;
struct sessions;
struct session_live;
struct hub_event;
struct memo;
struct knowledge_watch;

struct svc {
	struct worker *worker;
	struct shm *shm;
	struct db *db;
	struct httpc *httpc;
	struct llm *llm;
	struct auth_cache *tokens;
	struct bus *bus;			/* NULL in clerk and courier, which only post */
	struct hub *hub;
	struct chat *chat;
	struct answers *answers;
	struct role_answers *roles;
	struct signaling *signaling;
	struct memo *memo;
	struct memo *translations;		/* of questions, by models: query.h */
	struct sessions *sessions;
	struct session_live *session_live;	/* NULL in clerk and courier */
	struct knowledge_watch *knowledge;
	/* The api layer: close the sockets of a login session that ended (login_id), on this worker. */
	void (*on_revoked)(int64_t login_id);
	/* The api layer: a user became a member of a room, or is none any more: tell their sockets on this worker. */
	void (*on_member)(int64_t user_id, int64_t room_id, int64_t seq, bool joined);
	/* The api layer: a frame for a user's sockets that listen to user:me, on this worker. session: ws_user.h. */
	void (*on_user)(int64_t user_id, const char *session, struct pl_str frame);
};

/* The newest configuration of this process. */
static inline const struct config *svc_config(const struct svc *svc)
{
	return svc->worker->config;
}

/* Setting `anonymous` names it: its routes answer without a token, read-only and without personal data. */
static inline bool svc_anonymous(const struct config *config, const char *word)
{
	for (int i = 0; i < config->s.anonymous.count; i++)
		if (strcmp(config->s.anonymous.items[i], word) == 0)
			return true;
	return false;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The objects that the use cases of a process need. app.c creates one per worker, clerk, and courier. No evhttp, no
 * SQL, no HTTP statuses.
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
struct oidc_cache;
struct knowledge_watch;
struct recents;
struct unread;
struct read_marks;

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
	struct oidc_cache *oidc;		/* metadata and keys of identity providers; NULL in clerk and courier */
	struct sessions *sessions;
	struct session_live *session_live;	/* NULL in clerk and courier */
	struct knowledge_watch *knowledge;
	struct unread *unread;			/* svc/notify/unread.h; NULL in clerk and courier, like marks */
	struct read_marks *marks;
	struct recents *recents;		/* of the api layer: api/recent.h; NULL in clerk and courier */
	/* From the api layer: closes the sockets of an ended login session (login_id) on this worker. */
	void (*on_revoked)(int64_t login_id);
	/* From the api layer: notifies the sockets of a user on this worker that the user has joined or left a room. */
	void (*on_member)(int64_t user_id, int64_t room_id, int64_t seq, bool joined);
	/*
	 * From the api layer: sends a frame to the sockets of a user on this worker that listen to user:me. session:
	 * ws_user.h.
	 */
	void (*on_user)(int64_t user_id, const char *session, struct pl_str frame);
};

/* The newest configuration of this process. */
static inline const struct config *svc_config(const struct svc *svc)
{
	return svc->worker->config;
}

/*
 * Returns whether setting `anonymous` names the word: then its routes answer without a token, read-only and without
 * personal data.
 */
static inline bool svc_anonymous(const struct config *config, const char *word)
{
	for (int i = 0; i < config->s.anonymous.count; i++)
		if (strcmp(config->s.anonymous.items[i], word) == 0)
			return true;
	return false;
}

#endif

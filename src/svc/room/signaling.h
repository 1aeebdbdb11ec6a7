/* SPDX-License-Identifier: ISC */
/*
 * Signaling of calls (WebRTC): frames between the sockets of one room, to all or to one, over all workers.
 *
 * A peer is one socket, not one user: a user with two tabs is two peers. Its id is made here and cannot be guessed
 * or chosen. Only peers that joined the call get frames; what was sent to all before a peer joined is not for it, so
 * that of two peers exactly one hears the other join. Frames are not kept: a peer that is not there misses them. Some
 * front ends never join: their peers hear what is shouted to the whole room, and who shouts can be answered.
 *
 *   signaling_send() -> peers of this worker
 *                    -> ring of this slot -> other workers -> their peers
 *
 * What a worker's own peers heard of peers elsewhere is remembered, so that these leave when their worker dies.
 */
#ifndef SVC_SIGNALING_H
#define SVC_SIGNALING_H

#include "svc/svc.h"

#define SIGNALING_ID 16			/* characters of a peer's id */
#define SIGNALING_FRAME_MAX 32768	/* bytes of a frame to relay */
#define SIGNALING_ROOM_MAX 64		/* peers of one room on one worker */

struct signaling_room;

/* Embedded in its owner, which fills the first part. */
struct signaling_peer {
	void (*deliver)(void *owner, struct pl_str frame);
	void *owner;
	bool hears;				/* what is shouted, also before it joins */
	bool shouted;				/* and may be answered therefore */
	int64_t joined_ns;			/* in the call since; 0: not */
	char id[SIGNALING_ID + 1];
	struct signaling_room *room;
	struct signaling_peer *next;
};

/* Registers with svc->bus. */
struct signaling *signaling_new(struct svc *svc);
void signaling_free(struct signaling **signaling);

/* Gives it an id and a place in the room. false: there are SIGNALING_ROOM_MAX already. */
bool signaling_open(struct signaling *signaling, struct signaling_peer *peer, int64_t room_id) PL_MUSTCHECK;
/* Takes it out; one that joined leaves the call, and the others learn it. Nothing when it is not open. */
void signaling_close(struct signaling *signaling, struct signaling_peer *peer);
/*
 * To the joined peer `to` of the same room, wherever it is, or to all joined ones but the sender when `to` is absent.
 * A `to` that is not there is nobody. frame: at most SIGNALING_FRAME_MAX bytes of what the server itself wrote.
 */
void signaling_send(struct signaling *signaling, const struct signaling_peer *peer, struct pl_str to,
    struct pl_str frame);
/* To all that joined or hear, but the sender, which need not have joined. */
void signaling_shout(struct signaling *signaling, struct signaling_peer *peer, struct pl_str frame);
/* Into the call; again: nothing changes. */
void signaling_join(struct signaling_peer *peer);
/* Out of the call: all joined ones learn it, and it gets no more. */
void signaling_leave(struct signaling *signaling, struct signaling_peer *peer, struct pl_str frame);

#endif

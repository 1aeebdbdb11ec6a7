/* SPDX-License-Identifier: ISC */
/*
 * Signaling of calls (WebRTC): frames between the sockets of one room, to all or to one, over all workers.
 *
 * A peer is one socket, not one user: a user with two tabs is two peers. Its id is made here and cannot be guessed or
 * chosen. Only peers that joined the call get frames. A peer does not get frames that were sent to all before it
 * joined, so that exactly one of two peers gets the join of the other. Frames are not stored: an absent peer misses
 * them. Some front ends never join: their peers get frames that are broadcast to the whole room, and can be answered
 * after they broadcast.
 *
 *   signaling_send() -> peers of this worker
 *                    -> ring of this slot -> other workers -> their peers
 *
 * A worker remembers the remote peers that its peers know, so that they leave the call when their worker dies.
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
	bool hears;				/* gets broadcasts, also before it joins */
	bool shouted;				/* has broadcast, so it can be answered */
	int64_t joined_ns;			/* in the call since; 0: not */
	char id[SIGNALING_ID + 1];
	struct signaling_room *room;
	struct signaling_peer *next;
};

/* Registers with svc->bus. */
struct signaling *signaling_new(struct svc *svc);
void signaling_free(struct signaling **signaling);

/* Gives it an id and a place in the room. false: the room already has SIGNALING_ROOM_MAX peers. */
bool signaling_open(struct signaling *signaling, struct signaling_peer *peer, int64_t room_id) PL_MUSTCHECK;
/* Removes the peer. If it joined, it leaves the call, and the others are notified. No effect if it is not open. */
void signaling_close(struct signaling *signaling, struct signaling_peer *peer);
/*
 * Sends to the joined peer `to` of the same room, on any worker, or to all joined peers except the sender if `to` is
 * absent. If `to` does not exist, nothing is sent. frame: at most SIGNALING_FRAME_MAX bytes, written by the server.
 */
void signaling_send(struct signaling *signaling, const struct signaling_peer *peer, struct pl_str to,
    struct pl_str frame);
/* Broadcasts to all peers that joined or listen, except the sender, which need not have joined. */
void signaling_shout(struct signaling *signaling, struct signaling_peer *peer, struct pl_str frame);
/* Joins the call; idempotent. */
void signaling_join(struct signaling_peer *peer);
/* Leaves the call: all joined peers are notified, and it gets no more frames. */
void signaling_leave(struct signaling *signaling, struct signaling_peer *peer, struct pl_str frame);

#endif

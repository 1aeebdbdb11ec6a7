/* SPDX-License-Identifier: ISC */
/*
 * Rooms, messages, and log events in the shapes that REST and sockets share.
 */
#ifndef API_ROOM_SHAPE_H
#define API_ROOM_SHAPE_H

#include "api/http/shape.h"
#include "db/repo/repo_room.h"

struct request;

struct pl_str kind_word(int author_kind);	/* user, role, system */
struct pl_str level_word(int level);		/* absent for LEVEL_NONE */
/* Fills a shape; what it points to lives in `pool`. */
void message_shape(struct message_out *out, const struct message *m, struct pl_pool *pool);
/* For a page of messages: its limit, and the Link header to the next page, from the first and the last seq. */
int messages_limit(const struct messages_query *query);
void messages_link_next(struct request *request, int64_t first_seq, int64_t last_seq);
/* roles: names of room->role_ids in the same order, absent ones are left out. */
void room_shape(struct room_out *out, const struct room *room, struct pl_pool *pool);

#endif

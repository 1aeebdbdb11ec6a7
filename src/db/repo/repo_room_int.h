/* SPDX-License-Identifier: ISC */
/*
 * Shared by repo_room.c (changes) and repo_room_read.c (reads).
 */
#ifndef DB_REPO_ROOM_INT_H
#define DB_REPO_ROOM_INT_H

#include "db/conn/pgrow.h"
#include "db/repo/repo_room.h"

extern const char *const visibility_words[], *const policy_words[], *const level_words[];

/* The next columns in the order of function room_view(). */
void repo_read_room(struct pgrow *row, struct room *room);
/* The next columns in the order of type room_result, behind its status. */
void repo_read_room_result(struct pgrow *row, struct room_result *result);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Read markers on their way to the database: the newest one of each user and room, written as one statement every
 * WRITE_MS, soon after a socket closed, and at the end of the worker. Markers that a killed worker did not write are
 * lost; clients send newer ones.
 */
#ifndef SVC_READ_MARK_H
#define SVC_READ_MARK_H

#include "svc/svc.h"

struct read_marks *read_marks_new(struct svc *svc);
/* After db_free(). */
void read_marks_free(struct read_marks **marks);

/*
 * A user has read a room up to seq: notifies the listeners of the user, and stores it. Sending a message counts as
 * reading up to it.
 */
void read_mark(struct svc *svc, int64_t user_id, int64_t room_id, int64_t seq);
/* Drops what waits to be written; the marker was set in another way. */
void read_mark_forget(struct svc *svc, int64_t user_id, int64_t room_id);
/* A socket of the user closes: writes soon, if there is something to write for it. */
void read_mark_hurry(struct svc *svc, int64_t user_id, int64_t room_id);
/* Writes now. Returns whether everything was written. */
bool read_marks_flush(struct read_marks *marks);

#endif

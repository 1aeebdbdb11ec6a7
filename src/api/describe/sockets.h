/* SPDX-License-Identifier: ISC */
/*
 * sockets.def as data.
 */
#ifndef API_SOCKETS_H
#define API_SOCKETS_H

#include "api/http/route.h"
#include "api/ws/ws_frames.h"

#define SOCKET_ECHO WS_WORDS_COUNT	/* in the place of a dialect */

struct socket_channel {
	const char *name;
	void (*open)(struct request *request);	/* of its row in routes.def */
	enum ws_words words;
	const char *address;			/* "": the path of that row */
	const char *without;			/* types of frames a|b that it does not have */
	const char *text;
};
/* `frame`: name of the frame's shape. */
struct socket_words { const char *frame, *words; };
struct socket_sample { const char *frame, *name, *json; };

/* The last row of each has NULL first. */
extern const struct socket_channel socket_channels[];
extern const struct socket_words socket_answers[], socket_eithers[], socket_relayed[], socket_merges[];
extern const struct socket_sample socket_samples[];

const struct ws_route *socket_route(const struct socket_channel *channel);
bool socket_has(const struct socket_channel *channel, const struct ws_frame_row *row);
/* The row for a frame's shape; NULL: there is none. */
const struct socket_words *socket_words_of(const struct socket_words *table, const struct shape *shape);
/* Returns whether `word` is one of a|b. */
bool socket_word_in(const char *words, const char *word);

#endif

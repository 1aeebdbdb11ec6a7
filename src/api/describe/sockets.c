/* SPDX-License-Identifier: ISC */
/*
 * The rows of sockets.def.
 */
#include "api/describe/sockets.h"

#define CHANNEL(...)
#define ANSWERS(...)
#define EITHER(...)
#define RELAYED(...)
#define MERGES(...)
#define SAMPLE(...)

#define WS_WORDS_ECHO SOCKET_ECHO
#undef CHANNEL
#define CHANNEL(name_, open_, words_, address_, without_, text_) \
	{ .name = #name_, .open = open_, .words = WS_WORDS_##words_, .address = address_, .without = without_, \
	    .text = text_ },
const struct socket_channel socket_channels[] = {
#include "api/describe/sockets.def"
	{ 0 },
};
#undef CHANNEL
#define CHANNEL(...)

#undef ANSWERS
#define ANSWERS(frame, words) { #frame, words },
const struct socket_words socket_answers[] = {
#include "api/describe/sockets.def"
	{ 0 },
};
#undef ANSWERS
#define ANSWERS(...)

#undef EITHER
#define EITHER(frame, words) { #frame, words },
const struct socket_words socket_eithers[] = {
#include "api/describe/sockets.def"
	{ 0 },
};
#undef EITHER
#define EITHER(...)

#undef RELAYED
#define RELAYED(frame) { #frame, "" },
const struct socket_words socket_relayed[] = {
#include "api/describe/sockets.def"
	{ 0 },
};
#undef RELAYED
#define RELAYED(...)

#undef MERGES
#define MERGES(frame, shape) { #frame, #shape },
const struct socket_words socket_merges[] = {
#include "api/describe/sockets.def"
	{ 0 },
};
#undef MERGES
#define MERGES(...)

#undef SAMPLE
#define SAMPLE(frame, name, json) { #frame, name, json },
const struct socket_sample socket_samples[] = {
#include "api/describe/sockets.def"
	{ 0 },
};

/* The compiler refuses rows about frames that do not exist. */
#undef SAMPLE
#undef ANSWERS
#undef EITHER
#undef RELAYED
#undef MERGES
#define SAMPLE(frame, ...) + sizeof(struct frame)
#define ANSWERS(frame, ...) + sizeof(struct frame)
#define EITHER(frame, ...) + sizeof(struct frame)
#define RELAYED(frame) + sizeof(struct frame)
#define MERGES(frame, shape) + sizeof(struct frame) + sizeof(struct shape)
_Static_assert(0
#include "api/describe/sockets.def"
    > 0, "frames");

const struct ws_route *socket_route(const struct socket_channel *channel)
{
	for (int i = 0; i < ws_routes_count; i++)
		if (ws_routes[i].open == channel->open)
			return &ws_routes[i];
	pl_bug("a CHANNEL of sockets.def has no WSROUTE in routes.def", __FILE__, __LINE__);
}

bool socket_word_in(const char *words, const char *word)
{
	struct pl_str rest = pl_str(words), one;

	while (pl_str_cut(&rest, '|', &one))
		if (pl_str_is(one, word))
			return true;
	return false;
}

bool socket_has(const struct socket_channel *channel, const struct ws_frame_row *row)
{
	return row->words == channel->words && (channel->without[0] == '\0' || row->type[0] == '\0' ||
	    !socket_word_in(channel->without, row->type));
}

const struct socket_words *socket_words_of(const struct socket_words *table, const struct shape *shape)
{
	for (; table->frame != NULL; table++)
		if (strcmp(table->frame, shape->name) == 0)
			return table;
	return NULL;
}

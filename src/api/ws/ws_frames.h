/* SPDX-License-Identifier: ISC */
/*
 * frames.def as C: a struct per frame, the rows, and the handlers' prototypes.
 */
#ifndef API_WS_FRAMES_H
#define API_WS_FRAMES_H

#include "api/http/shape.h"
#include "svc/account/limits.h"

struct ws_frame;

enum ws_words {
#define DIALECT(name, title, paths) WS_WORDS_##name,
#define PART(...)
#define FRAME_IN(...)
#define FRAME_OUT(...)
#define F(...)
#define FRAME_END
#include "api/ws/frames.def"
#undef DIALECT
#undef PART
#undef FRAME_IN
#undef FRAME_OUT
#undef F
#undef FRAME_END
	WS_WORDS_COUNT
};

enum ws_frame_who { WS_ALL, WS_USERS, WS_SETTING };
enum ws_frame_flags { WS_LATE = 1, WS_ACTS = 2 };

/* `nothing`: some frames have no fields, and a struct must not be empty. */
#define DIALECT(...)
#define PART(name, text) struct part_##name { char nothing;
#define FRAME_IN(dialect, name, ...) struct in_##dialect##_##name { char nothing;
#define FRAME_OUT(dialect, name, ...) struct out_##dialect##_##name { char nothing;
#define F(shape, field, type, ...) SHAPE_C_##type field;
#define FRAME_END };
#include "api/ws/frames.def"
#undef PART
#undef FRAME_IN
#undef FRAME_OUT
#undef F
#undef FRAME_END

#define PART(...)
#define FRAME_IN(dialect, name, type, who, klass, flags, handler, text) void handler(struct ws_frame *f);
#define FRAME_OUT(...)
#define F(...)
#define FRAME_END
#include "api/ws/frames.def"
#undef DIALECT
#undef PART
#undef FRAME_IN
#undef FRAME_OUT
#undef F
#undef FRAME_END

struct ws_frame_row {
	enum ws_words words;			/* its dialect */
	const char *type;			/* "": it has none, and is identified by its first field */
	const struct shape *shape;		/* text: what it is for */
	void (*on)(struct ws_frame *f);		/* NULL: from the server */
	enum ws_frame_who who;
	enum limit_class klass;
	int flags;
};

/* In table order; ws_frames_count of them. */
extern const struct ws_frame_row ws_frames[];
extern const int ws_frames_count;
/* The values of JSON fields of frames; NULL-terminated, in table order. For descriptions only. */
extern const struct shape *const ws_parts[];

struct ws_words_row { const char *title, *paths; };
extern const struct ws_words_row ws_words[WS_WORDS_COUNT];

/* The codes that close sockets: closes.def. */
struct ws_close_row { int code; const char *text, *client; };
extern const struct ws_close_row ws_closes[];
extern const int ws_closes_count;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The rows of frames.def and closes.def.
 */
#include "api/ws/ws_frames.h"

#define DIALECT(...)
#define PART(name, text) static const struct shape_field part_fields_##name[] = {
#define FRAME_IN(dialect, name, ...) static const struct shape_field in_fields_##dialect##_##name[] = {
#define FRAME_OUT(dialect, name, ...) static const struct shape_field out_fields_##dialect##_##name[] = {
#define F(shape, field, type_, presence_, min_, max_, words_, text_) \
	{ .name = #field, .type = T_##type_, .presence = P_##presence_, .min = (double)(min_), .max = (double)(max_), \
	    .words = words_, .text = text_, .offset = offsetof(struct shape, field) },
#define FRAME_END };
#include "api/ws/frames.def"
#undef PART
#undef FRAME_IN
#undef FRAME_OUT
#undef F
#undef FRAME_END

#define F(...)
#define FRAME_END
#define PART(name_, text_) \
	static const struct shape part_##name_ = { .name = #name_, .text = text_, .fields = part_fields_##name_, \
	    .count = PL_COUNT(part_fields_##name_), .bytes = sizeof(struct part_##name_) };
#define FRAME_SHAPE(dialect, name_, way, text_) \
	static const struct shape way##_##dialect##_##name_ = { .name = #way "_" #dialect "_" #name_, .text = text_, \
	    .fields = way##_fields_##dialect##_##name_, .count = PL_COUNT(way##_fields_##dialect##_##name_), \
	    .bytes = sizeof(struct way##_##dialect##_##name_) };
#define FRAME_IN(dialect, name, type, who, klass, flags, handler, text) FRAME_SHAPE(dialect, name, in, text)
#define FRAME_OUT(dialect, name, type, text) FRAME_SHAPE(dialect, name, out, text)
#include "api/ws/frames.def"
#undef PART
#undef FRAME_IN
#undef FRAME_OUT

#define PART(name, text) &part_##name,
#define FRAME_IN(...)
#define FRAME_OUT(...)
const struct shape *const ws_parts[] = {
#include "api/ws/frames.def"
	NULL,
};
#undef PART
#undef FRAME_IN
#undef FRAME_OUT

#define PART(...)
#define LATE WS_LATE
#define ACTS WS_ACTS
#define FRAME_IN(dialect, name, type_, who_, klass_, flags_, handler, text) \
	{ .words = WS_WORDS_##dialect, .type = type_, .shape = &in_##dialect##_##name, .on = handler, \
	    .who = WS_##who_, .klass = LIMIT_##klass_, .flags = flags_ },
#define FRAME_OUT(dialect, name, type_, text) \
	{ .words = WS_WORDS_##dialect, .type = type_, .shape = &out_##dialect##_##name },
const struct ws_frame_row ws_frames[] = {
#include "api/ws/frames.def"
};
const int ws_frames_count = PL_COUNT(ws_frames);
#undef FRAME_IN
#undef FRAME_OUT
#undef DIALECT

#define FRAME_IN(...)
#define FRAME_OUT(...)
#define DIALECT(name, title, paths) { title, paths },
const struct ws_words_row ws_words[WS_WORDS_COUNT] = {
#include "api/ws/frames.def"
};

const struct ws_close_row ws_closes[] = {
#define CLOSE(code_, text_, client_) { code_, text_, client_ },
#include "api/ws/closes.def"
#undef CLOSE
};
const int ws_closes_count = PL_COUNT(ws_closes);

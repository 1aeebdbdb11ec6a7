/* SPDX-License-Identifier: ISC */
/*
 * The rows of describe.def.
 */
#include "api/describe/describe_int.h"
#include "api/ws/ws_frames.h"

#define PARAM(...)
#define TAKES(...)
#define SENDS(...)
#define HEADER(...)
#define RAISES(...)
#define REPLY(...)
#define BODY(...)
#define EXAMPLE(...)

#undef PARAM
#define PARAM(name_, type_, words_, example_, text_) \
	{ .name = #name_, .type = T_##type_, .words = words_, .example = example_, .text = text_ },
static const struct describe_param params[] = {
#include "api/describe/describe.def"
};
#undef PARAM
#define PARAM(...)

#undef TAKES
#define TAKES(handler_, name_, text_) { #handler_, name_, text_ },
const struct describe_take describe_takes[] = {
#include "api/describe/describe.def"
	{ 0 },
};
#undef TAKES
#define TAKES(...)

#undef SENDS
#define SENDS(handler_, header_) { #handler_, HEADER_##header_ },
const struct describe_send describe_sends[] = {
#include "api/describe/describe.def"
	{ 0 },
};
#undef SENDS
#define SENDS(...)

#define ALWAYS true
#define SOME false
#undef HEADER
#define HEADER(id_, name_, type_, always_, text_) \
	[HEADER_##id_] = { .name = name_, .type = type_, .always = always_, .text = text_ },
const struct describe_header describe_headers[HEADER_COUNT] = {
#include "api/describe/describe.def"
};
#undef HEADER
#define HEADER(...)

#undef RAISES
#define RAISES(handler_, code_) { #handler_, PL_E_##code_ },
const struct describe_raise describe_raises[] = {
#include "api/describe/describe.def"
	{ 0 },
};
#undef RAISES
#define RAISES(...)

#undef REPLY
#define REPLY(handler_, status_, media_, schema_, example_, text_) \
	{ .handler = #handler_, .status = status_, .media = media_, .schema = schema_, .example = example_, \
	    .text = text_ },
const struct describe_reply describe_replies[] = {
#include "api/describe/describe.def"
	{ 0 },
};
#undef REPLY
#define REPLY(...)

#undef BODY
#define BODY(handler_, media_, example_, text_) { #handler_, media_, example_, text_ },
const struct describe_body describe_bodies[] = {
#include "api/describe/describe.def"
	{ 0 },
};
#undef BODY
#define BODY(...)

#undef EXAMPLE
#define EXAMPLE(field_, json_) { field_, json_ },
const struct describe_example describe_examples[] = {
#include "api/describe/describe.def"
	{ 0 },
};

/* The compiler refuses rows about handlers that do not exist. */
#undef EXAMPLE
#define EXAMPLE(...)
#undef TAKES
#undef SENDS
#undef RAISES
#undef REPLY
#undef BODY
#define BODY(handler_, ...) handler_,
#define TAKES(handler_, ...) handler_,
#define SENDS(handler_, ...) handler_,
#define RAISES(handler_, ...) handler_,
#define REPLY(handler_, ...) handler_,
static route_fn *const handlers_exist[] __attribute__((unused)) = {
#include "api/describe/describe.def"
};

const struct describe_param *describe_param_get(struct pl_str name)
{
	for (size_t i = 0; i < PL_COUNT(params); i++)
		if (pl_str_is(name, params[i].name))
			return &params[i];
	pl_bug("a {name} of a path has no PARAM in describe.def", __FILE__, __LINE__);
}

const struct shape *describe_shape_find(struct pl_str name)
{
	for (int i = 0; shape_all[i] != NULL; i++)
		if (pl_str_is(name, shape_all[i]->name))
			return shape_all[i];
	for (int i = 0; ws_parts[i] != NULL; i++)
		if (pl_str_is(name, ws_parts[i]->name))
			return ws_parts[i];
	return NULL;
}

bool describe_cut(struct pl_str *text, struct pl_str *part_r)
{
	size_t end = 0;
	int depth = 0;

	if (text->len == 0)
		return false;
	for (; end < text->len && (depth > 0 || text->ptr[end] != '|'); end++) {
		depth += text->ptr[end] == '[' || text->ptr[end] == '{';
		depth -= text->ptr[end] == ']' || text->ptr[end] == '}';
	}
	*part_r = pl_strn(text->ptr, end);
	end += end < text->len;
	*text = pl_strn(text->ptr + end, text->len - end);
	return true;
}

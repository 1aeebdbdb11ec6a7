/* SPDX-License-Identifier: ISC */
/*
 * Parts are found by their delimiter lines, fields by the name in Content-Disposition.
 */
#include "multipart.h"

#include <string.h>

#define BOUNDARY_MAX 70

/* The value of a parameter (RFC 9110 5.6.6) behind the first `;`, without its quotes; escapes do not occur in names. */
static struct pl_str parameter(struct pl_str header, const char *name)
{
	struct pl_str part, key;

	(void)pl_str_cut(&header, ';', &part);
	while (header.ptr != NULL && pl_str_cut(&header, ';', &part)) {
		if (!pl_str_cut(&part, '=', &key) || part.ptr == NULL || !pl_str_ieq(pl_str_trim(key), pl_str(name)))
			continue;
		part = pl_str_trim(part);
		if (part.len >= 2 && part.ptr[0] == '"' && part.ptr[part.len - 1] == '"')
			part = pl_strn(part.ptr + 1, part.len - 2);
		return part;
	}
	return PL_STR_NONE;
}

struct pl_str pl_multipart_boundary(struct pl_str content_type)
{
	struct pl_str boundary = parameter(content_type, "boundary");

	return boundary.len >= 1 && boundary.len <= BOUNDARY_MAX ? boundary : PL_STR_NONE;
}

/* Cuts *rest behind the next delimiter at the beginning of a line; *before_r is what stood before that line. */
static bool cut_delimiter(struct pl_str *rest, struct pl_str boundary, bool first, struct pl_str *before_r)
{
	const char *at = rest->ptr, *end = rest->ptr + rest->len;

	for (; (at = memmem(at, (size_t)(end - at), boundary.ptr, boundary.len)) != NULL; at++) {
		size_t before = (size_t)(at - rest->ptr);
		bool dashes = before >= 2 && at[-1] == '-' && at[-2] == '-';
		bool line = before >= 4 && at[-3] == '\n' && at[-4] == '\r';

		if (!dashes || !(line || (first && before == 2)))
			continue;
		*before_r = pl_strn(rest->ptr, line ? before - 4 : 0);
		*rest = pl_strn(at + boundary.len, (size_t)(end - at) - boundary.len);
		return true;
	}
	return false;
}

/* Header lines up to the empty one; *name_r is the field's. false: malformed. */
static bool cut_headers(struct pl_str *part, struct pl_str *name_r)
{
	struct pl_str line, key;

	*name_r = PL_STR_NONE;
	while (part->ptr != NULL && pl_str_cut(part, '\n', &line)) {
		if (line.len == 0 || line.ptr[line.len - 1] != '\r')
			return false;
		line.len--;
		if (line.len == 0)
			return part->ptr != NULL;
		if (pl_str_cut(&line, ':', &key) && line.ptr != NULL && pl_str_ieq(key, PL_STR("Content-Disposition")))
			*name_r = parameter(line, "name");
	}
	return false;
}

struct pl_str pl_multipart_get(struct pl_str body, struct pl_str boundary, const char *name, bool *bad_r)
{
	struct pl_str part, field;

	*bad_r = true;
	if (!cut_delimiter(&body, boundary, true, &part))
		return PL_STR_NONE;
	while (!pl_str_starts(body, "--")) {
		const char *line = memchr(body.ptr, '\n', body.len);

		/* blanks may follow the delimiter; the part begins on the next line */
		if (line == NULL || line == body.ptr || line[-1] != '\r' ||
		    pl_str_trim(pl_strn(body.ptr, (size_t)(line - 1 - body.ptr))).len > 0)
			return PL_STR_NONE;
		body = pl_strn(line + 1, body.len - (size_t)(line + 1 - body.ptr));
		if (!cut_delimiter(&body, boundary, false, &part) || !cut_headers(&part, &field))
			return PL_STR_NONE;
		if (field.ptr == NULL || !pl_str_is(field, name))
			continue;
		*bad_r = !pl_utf8_ok(part.ptr, part.len) || memchr(part.ptr, '\0', part.len) != NULL;
		return *bad_r ? PL_STR_NONE : part;
	}
	*bad_r = false;
	return PL_STR_NONE;
}

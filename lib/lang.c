/* SPDX-License-Identifier: ISC */
/*
 * Language tags. Source: RFC 5646 section 2.1 (BCP 47), section 2.1.1 for the case of letters.
 */
#include <ctype.h>

#include "lang.h"
#include "pool.h"

enum { PARTS_MAX = 20 };

struct tag {
	struct pl_str parts[PARTS_MAX];
	int count, at;
};

static bool all(struct pl_str s, int (*is)(int c))
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] > 127 || !is((unsigned char)s.ptr[i]))
			return false;
	return true;
}

static bool split(struct pl_str text, struct tag *tag)
{
	struct pl_str part;

	*tag = (struct tag){ .count = 0 };
	if (text.len == 0 || text.ptr[text.len - 1] == '-')
		return false;
	while (text.ptr != NULL && pl_str_cut(&text, '-', &part)) {
		if (tag->count == PARTS_MAX || part.len < 1 || part.len > 8 || !all(part, isalnum))
			return false;
		tag->parts[tag->count++] = part;
	}
	return true;
}

/* The next part is `min` to `max` characters of this kind: it is taken. */
static bool take(struct tag *tag, size_t min, size_t max, int (*is)(int c))
{
	struct pl_str s;

	if (tag->at == tag->count)
		return false;
	s = tag->parts[tag->at];
	if (s.len < min || s.len > max || !all(s, is))
		return false;
	tag->at++;
	return true;
}

/* Is the part at `at` also among those from `from` on before it? */
static bool is_double(const struct tag *tag, int from, int at)
{
	for (int i = from; i < at; i++)
		if (pl_str_ieq(tag->parts[i], tag->parts[at]))
			return true;
	return false;
}

static bool take_variants(struct tag *tag)
{
	int first = tag->at;

	for (;;) {
		bool digit = tag->at < tag->count && isdigit((unsigned char)tag->parts[tag->at].ptr[0]);

		if (!take(tag, digit ? 4 : 5, 8, isalnum))
			return true;
		if (is_double(tag, first, tag->at - 1))
			return false;
	}
}

static bool take_extensions(struct tag *tag)
{
	char seen[40] = "";
	size_t n = 0;

	while (tag->at < tag->count && tag->parts[tag->at].len == 1) {
		int single = tolower((unsigned char)tag->parts[tag->at++].ptr[0]);
		int first = tag->at;

		if (memchr(seen, single, n) != NULL)
			return false;
		seen[n++] = (char)single;
		while (take(tag, single == 'x' ? 1 : 2, 8, isalnum))
			continue;
		if (tag->at == first)
			return false;
	}
	return true;
}

struct pl_str pl_lang_tag(struct pl_pool *pool, struct pl_str text)
{
	char *out = pl_alloc(pool, text.len + 1);
	struct tag tag;
	int script = -1, region = -1;

	if (text.ptr == NULL || !split(text, &tag))
		return PL_STR_NONE;
	if (take(&tag, 2, 3, isalpha)) {
		for (int i = 0; i < 3 && take(&tag, 3, 3, isalpha); i++)
			continue;
	} else if (!take(&tag, 4, 8, isalpha)) {
		return PL_STR_NONE;
	}
	if (take(&tag, 4, 4, isalpha))
		script = tag.at - 1;
	if (take(&tag, 2, 2, isalpha) || take(&tag, 3, 3, isdigit))
		region = tag.at - 1;
	if (!take_variants(&tag) || !take_extensions(&tag) || tag.at != tag.count)
		return PL_STR_NONE;
	for (size_t i = 0; i < text.len; i++)
		out[i] = (char)tolower((unsigned char)text.ptr[i]);
	if (script >= 0)
		out[tag.parts[script].ptr - text.ptr] = (char)toupper((unsigned char)*tag.parts[script].ptr);
	for (size_t i = 0; region >= 0 && i < tag.parts[region].len; i++)
		out[tag.parts[region].ptr - text.ptr + (ptrdiff_t)i] =
		    (char)toupper((unsigned char)tag.parts[region].ptr[i]);
	return pl_strn(out, text.len);
}

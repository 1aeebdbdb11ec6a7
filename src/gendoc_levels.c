/* SPDX-License-Identifier: ISC */
/* The table of parlour-api(7) that shows who may call each route, from routes.def and levels.def. */
#include "gendoc_levels.h"

#include <string.h>

#include "api/http/request.h"
#include "api/http/route_group.h"

struct level_row { enum req_method method; const char *path, *level, *setting; };
struct without_row { enum req_method method; const char *path, *setting, *word; };

#define LEVEL(method, path, level, setting) { REQ_##method, path, #level, setting },
#define WITHOUT(method, path, setting, word)
static const struct level_row levels[] = {
#include "api/http/levels.def"
};
#undef LEVEL
#undef WITHOUT

#define LEVEL(method, path, level, setting)
#define WITHOUT(method, path, setting, word) { REQ_##method, path, setting, word },
static const struct without_row withouts[] = {
#include "api/http/levels.def"
};

static const char *lower(struct pl_pool *pool, const char *word)
{
	char *text = pl_strdup(pool, word);

	for (char *p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return text;
}

static const char *level_of(struct pl_pool *pool, const struct route *r)
{
	static const char *const words[] = { [WHO_ANY] = "anybody", [WHO_OPT] = "user", [WHO_USER] = "user",
		[WHO_OPERATOR] = "operator", [WHO_ADMIN] = "admin" };

	for (size_t i = 0; i < PL_COUNT(levels); i++)
		if (levels[i].method == r->method && strcmp(levels[i].path, r->path) == 0)
			return pl_sprintf(pool, "%s%s", lower(pool, levels[i].level),
			    levels[i].setting[0] != '\0' ? "*" : "");
	return words[r->who];
}

static const char *without_of(struct pl_pool *pool, const struct route *r)
{
	const char *text = NULL;

	for (size_t i = 0; i < PL_COUNT(withouts); i++) {
		const struct without_row *w = &withouts[i];

		if (w->method == r->method && strcmp(w->path, r->path) == 0)
			text = text == NULL ? w->setting : pl_sprintf(pool, "%s, %s", text, w->setting);
	}
	if (text != NULL)
		return text;
	return r->who == WHO_ANY ? "yes" : "no";
}

static const char *key_of(struct pl_pool *pool, const struct route *r)
{
	const char *words;

	if (r->who == WHO_ANY)
		return "-";
	if (r->scope == SCOPE_LOGIN || r->scope == SCOPE_ALL)
		return r->scope == SCOPE_ALL ? "any" : "refused";
	words = pl_str_c(pool, apikey_scope_words(pool, r->scope));
	for (char *blank = strchr(words, ' '); blank != NULL; blank = strchr(blank, ' '))
		*blank = '|';
	return words;
}

void gendoc_levels(struct pl_buf *out)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	pl_buf_adds(out, ".Bl -tag -width Ds -compact\n");
	for (const struct route_group *g = route_groups; g->tag != NULL; g++)
		for (int i = 0; i < routes_count; i++) {
			const struct route *r = &routes[i];

			if (!(r->flags & ROUTE_HIDE) && &route_groups[r->group] == g)
				pl_buf_addf(out, ".It Ic %s Pa %s\n%s; key: %s; without a token: %s\n",
				    methods[__builtin_ctz(r->method)], r->path, level_of(out->pool, r),
				    key_of(out->pool, r), without_of(out->pool, r));
		}
	pl_buf_adds(out, ".El\n");
}

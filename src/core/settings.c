/* SPDX-License-Identifier: ISC */
/* The table of settings as data, and the life of a configuration: read, reference-counted, and compared at a reload. */
#include "core/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/settings_check.h"

static const char *const words_log_level[] = { "error", "warn", "info", "debug", NULL };
static const char *const words_log_format[] = { "kv", "json", NULL };
static const char *const words_access_format[] = { "fields", "combined", NULL };
static const char *const words_person[] = { "none", "mail", "slack", NULL };
static const char *const words_suggestions[] = { "objects", "text", NULL };
static const char *const words_deleted[] = { "keep", "erase", NULL };
static const char *const words_mfa[] = { "none", "admin", "operator", "all", NULL };
static const char *const words_registration[] = { "open", "invite", "closed", NULL };
static const char *const words_access[] = { "user", "analyst", "operator", "admin", NULL };
static const char *const words_directory[] = { "all", "shared_rooms", "off", NULL };
const char *const settings_languages[] = {
	"ar", "ca", "da", "de", "el", "en", "es", "eu", "fi", "fr", "ga", "hi", "hu", "hy", "id", "it", "ja",
	"km", "ko", "lo", "lt", "my", "ne", "nl", "no", "pt", "ro", "ru", "sr", "sv", "ta", "th", "tr", "und",
	"yi", "zh", NULL
};
#define words_language settings_languages
static const char *const words_dialect[] = { "openai", "anthropic", NULL };
static const char *const words_metrics_style[] = { "parlour", "prodlens", NULL };
static const char *const words_provider[] = { "auto", "openai", "anthropic", "openrouter", "other", NULL };
static const char *const words_key_header[] = { "authorization", "api-key", NULL };
static const char *const words_client_auth[] = { "auto", "basic", "post", NULL };
static const char *const words_max_tokens[] = { "max_tokens", "max_completion_tokens", NULL };

#define ROW(owner, field, kind, preset, low, high, what, when, list, part, help) \
	{ .name = #field, .type = PL_SET_##kind, .def = preset, .min = low, .max = high, .unit = what, \
	  .flags = PL_SET_##when, .words = list, .section = part, .text = help, \
	  .offset = offsetof(struct owner, field) },

static const struct pl_setting settings_rows[] = {
#define SETTING(...) ROW(settings, __VA_ARGS__)
#define UPSTREAM(...)
#define OIDC(...)
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

static const struct pl_setting upstream_rows[] = {
#define SETTING(...)
#define UPSTREAM(...) ROW(upstream_settings, __VA_ARGS__)
#define OIDC(...)
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

static const struct pl_setting oidc_rows[] = {
#define SETTING(...)
#define UPSTREAM(...)
#define OIDC(...) ROW(oidc_settings, __VA_ARGS__)
#include "core/settings.def"
#undef SETTING
#undef UPSTREAM
#undef OIDC
};

const struct pl_schema settings_oidc = {
	.group = "oidc",
	.group_settings = oidc_rows,
	.group_count = PL_COUNT(oidc_rows),
	.group_bytes = sizeof(struct oidc_settings),
};

const struct pl_schema settings_schema = {
	.settings = settings_rows,
	.count = PL_COUNT(settings_rows),
	.group = "llm",
	.group_settings = upstream_rows,
	.group_count = PL_COUNT(upstream_rows),
	.group_bytes = sizeof(struct upstream_settings),
	.other = &settings_oidc,
};

static void wipe_text(const struct pl_setting *row, const char *text)
{
	if (text != NULL && text != row->def)
		pl_wipe((char *)text, strlen(text));
}

/* Overwrites secrets before their memory is freed. */
static void config_wipe(void *arg)
{
	struct config *config = arg;

	for (size_t i = 0; i < settings_schema.count; i++) {
		const struct pl_setting *row = &settings_rows[i];

		if (row->type != PL_SET_SECRET && row->type != PL_SET_LINES)
			continue;
		if (config->cfg.texts != NULL)
			wipe_text(row, config->cfg.texts[i]);
		wipe_text(row, *(const char **)((char *)&config->s + row->offset));
	}
}

struct config *config_make(void)
{
	struct pl_pool *pool = pl_pool_new(16384);
	struct config *config = pl_alloc(pool, sizeof(*config));

	config->pool = pool;
	config->holds = 1;
	config->cfg.pool = pool;
	config->cfg.schema = &settings_schema;
	config->cfg.values = &config->s;
	pl_pool_cleanup(pool, config_wipe, config);
	return config;
}

struct config *config_read(const char *path, const char *const *overrides, int overrides_count, char why[512])
{
	struct config *config = config_make();

	if (!pl_cfg_read(&config->cfg, path, overrides, overrides_count)) {
		snprintf(why, 512, "%s", config->cfg.why);
		config_release(&config);
		return NULL;
	}
	config->upstreams = config->cfg.groups;
	config->upstreams_count = config->cfg.groups_count;
	for (int i = 0; i < config->upstreams_count; i++)
		config->upstreams[i].name = config->cfg.group_names[i];
	config->oidc = config->cfg.next->groups;
	config->oidc_count = config->cfg.next->groups_count;
	for (int i = 0; i < config->oidc_count; i++)
		config->oidc[i].name = config->cfg.next->group_names[i];
	if (!config_check(config, why))
		config_release(&config);
	return config;
}

struct config *config_hold(const struct config *config)
{
	struct config *mine = (struct config *)config;

	mine->holds++;
	return mine;
}

static void let_go(void *arg)
{
	struct config *config = arg;

	config_release(&config);
}

const struct config *config_keep(struct pl_pool *pool, const struct config *config)
{
	pl_pool_cleanup(pool, let_go, config_hold(config));
	return config;
}

void config_release(struct config **config)
{
	struct config *gone = *config;
	struct pl_pool *pool;

	*config = NULL;
	if (gone == NULL || --gone->holds > 0)
		return;
	pool = gone->pool;	/* the memory of the struct is in it */
	pl_pool_free(&pool);
}

const struct upstream_settings *config_upstream(const struct config *config, struct pl_str name)
{
	for (int i = 0; i < config->upstreams_count; i++)
		if (pl_str_is(name, config->upstreams[i].name))
			return &config->upstreams[i];
	return NULL;
}

const struct oidc_settings *config_oidc(const struct config *config, struct pl_str name)
{
	for (int i = 0; i < config->oidc_count; i++)
		if (pl_str_is(name, config->oidc[i].name))
			return &config->oidc[i];
	return NULL;
}

static bool list_same(const struct pl_list *a, const struct pl_list *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool value_same(enum pl_setting_type type, const void *a, const void *b)
{
	switch (type) {
	case PL_SET_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case PL_SET_ENUM:
		return *(const int *)a == *(const int *)b;
	case PL_SET_STR:
	case PL_SET_SECRET:
	case PL_SET_LINES:
		return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
	case PL_SET_RATE:
		return memcmp(a, b, sizeof(struct pl_rate)) == 0;
	case PL_SET_LIST:
		return list_same(a, b);
	case PL_SET_INT:
	case PL_SET_SIZE:
	case PL_SET_TIME:
	case PL_SET_MODE:
		break;
	}
	return *(const int64_t *)a == *(const int64_t *)b;
}

static void list_copy(struct pl_pool *pool, struct pl_list *to, const struct pl_list *from)
{
	const char **items = pl_alloc(pool, ((size_t)from->count + 1) * sizeof(*items));

	for (int i = 0; i < from->count; i++)
		items[i] = pl_strdup(pool, from->items[i]);
	to->items = items;
	to->count = from->count;
}

static void value_copy(struct pl_pool *pool, enum pl_setting_type type, void *to, const void *from)
{
	switch (type) {
	case PL_SET_BOOL:
		*(bool *)to = *(const bool *)from;
		return;
	case PL_SET_ENUM:
		*(int *)to = *(const int *)from;
		return;
	case PL_SET_STR:
	case PL_SET_SECRET:
	case PL_SET_LINES:
		*(const char **)to = pl_strdup(pool, *(const char *const *)from);
		return;
	case PL_SET_RATE:
		*(struct pl_rate *)to = *(const struct pl_rate *)from;
		return;
	case PL_SET_LIST:
		list_copy(pool, to, from);
		return;
	case PL_SET_INT:
	case PL_SET_SIZE:
	case PL_SET_TIME:
	case PL_SET_MODE:
		*(int64_t *)to = *(const int64_t *)from;
		return;
	}
}

static const char *text_copy(struct pl_pool *pool, const char *text)
{
	return text != NULL ? pl_strdup(pool, text) : NULL;
}

/* Copies the origin of values that stay, so that -T and the status show the right file and line. */
static void origin_copy(struct config *fresh, const struct config *old, size_t i)
{
	if (fresh->cfg.texts != NULL && old->cfg.texts != NULL)
		fresh->cfg.texts[i] = text_copy(fresh->pool, old->cfg.texts[i]);
	if (fresh->cfg.origins != NULL && old->cfg.origins != NULL)
		fresh->cfg.origins[i] = text_copy(fresh->pool, old->cfg.origins[i]);
}

/* See config_keep_restart_only(). */
static void keep_signer(struct pl_keyring *fresh, const struct pl_keyring *old)
{
	int at = old->count > 0 ? pl_keyring_find(fresh, pl_keyring_signer(old)->kid) : -1;

	fresh->sign = at > 0 ? at : 0;
}

/* A process that seals with a key that another one does not have yet would lose the value: so they need a restart. */
static bool keep_seals(struct config *fresh, const struct config *old)
{
	bool changed = old->seal_ring.count > 0 && (old->seal_ring.count != fresh->seal_ring.count ||
	    memcmp(&old->seal_ring, &fresh->seal_ring, sizeof(fresh->seal_ring)) != 0);

	if (changed)
		fresh->seal_ring = old->seal_ring;
	return changed;
}

void config_keep_restart_only(struct config *fresh, const struct config *old, void (*fn)(void *arg, const char *name),
    void *arg)
{
	bool seals_changed = keep_seals(fresh, old);

	keep_signer(&fresh->keys, &old->keys);
	for (size_t i = 0; i < settings_schema.count; i++) {
		const struct pl_setting *row = &settings_rows[i];
		char *mine = (char *)&fresh->s + row->offset;
		const char *theirs = (const char *)&old->s + row->offset;
		bool same = value_same(row->type, mine, theirs);

		if (row->flags != PL_SET_RESTART || (same && !(seals_changed && strcmp(row->name, "seal_keys") == 0)))
			continue;
		value_copy(fresh->pool, row->type, mine, theirs);
		origin_copy(fresh, old, i);
		fn(arg, row->name);
	}
}

/* The sections of one kind in a configuration: structs of schema->group_bytes that begin with their name. */
struct sections { const struct pl_schema *schema; const void *first; int count; };

static const char *section_name(const struct sections *sections, int i)
{
	return *(const char *const *)((const char *)sections->first + (size_t)i * sections->schema->group_bytes);
}

static bool section_same(const struct sections *a, int i, const struct sections *b, int k)
{
	const struct pl_schema *schema = a->schema;
	const char *mine = (const char *)a->first + (size_t)i * schema->group_bytes;
	const char *theirs = (const char *)b->first + (size_t)k * schema->group_bytes;

	for (size_t r = 0; r < schema->group_count; r++) {
		const struct pl_setting *row = &schema->group_settings[r];

		if (!value_same(row->type, mine + row->offset, theirs + row->offset))
			return false;
	}
	return true;
}

static int section_find(const struct sections *sections, const char *name)
{
	for (int i = 0; i < sections->count; i++)
		if (strcmp(section_name(sections, i), name) == 0)
			return i;
	return -1;
}

static void section_changes(const struct sections *fresh, const struct sections *old,
    void (*fn)(void *arg, const char *name), void *arg)
{
	char text[160];

	for (int i = 0; i < fresh->count; i++) {
		int was = section_find(old, section_name(fresh, i));

		if (was >= 0 && section_same(fresh, i, old, was))
			continue;
		snprintf(text, sizeof(text), "%s %s", fresh->schema->group, section_name(fresh, i));
		fn(arg, text);
	}
	for (int i = 0; i < old->count; i++) {
		if (section_find(fresh, section_name(old, i)) >= 0)
			continue;
		snprintf(text, sizeof(text), "%s %s", old->schema->group, section_name(old, i));
		fn(arg, text);
	}
}

void config_changes(const struct config *fresh, const struct config *old, void (*fn)(void *arg, const char *name),
    void *arg)
{
	const struct sections llm = { &settings_schema, fresh->upstreams, fresh->upstreams_count };
	const struct sections old_llm = { &settings_schema, old->upstreams, old->upstreams_count };
	const struct sections oidc = { &settings_oidc, fresh->oidc, fresh->oidc_count };
	const struct sections old_oidc = { &settings_oidc, old->oidc, old->oidc_count };

	for (size_t i = 0; i < settings_schema.count; i++) {
		const struct pl_setting *row = &settings_rows[i];

		if (!value_same(row->type, (const char *)&fresh->s + row->offset, (const char *)&old->s + row->offset))
			fn(arg, row->name);
		else if (strcmp(row->name, "key_file") == 0 && fresh->keys.tag != old->keys.tag)
			fn(arg, row->name);	/* the name is the same, the content is not */
	}
	section_changes(&llm, &old_llm, fn, arg);
	section_changes(&oidc, &old_oidc, fn, arg);
}

const char *config_provider_word(enum provider provider)
{
	return words_provider[provider];
}

bool config_line(struct pl_str *lines, struct pl_str *name_r, struct pl_str *value_r)
{
	struct pl_str line;

	if (!pl_str_cut(lines, '\n', &line) || line.len == 0)
		return false;
	if (!pl_str_cut(&line, ':', name_r))
		*name_r = PL_STR("");
	*name_r = pl_str_trim(*name_r);
	*value_r = pl_str_trim(line);
	return true;
}

enum provider config_provider(const struct upstream_settings *upstream)
{
	static const struct { const char *host; enum provider provider; } hosts[] = {
		{ "api.openai.com", PROVIDER_OPENAI }, { "api.anthropic.com", PROVIDER_ANTHROPIC },
		{ "openrouter.ai", PROVIDER_OPENROUTER },
	};
	const char *host = upstream->url;
	size_t len;

	if (upstream->provider != PROVIDER_AUTO)
		return upstream->provider;
	if (host == NULL || strncmp(host, "https://", 8) != 0)
		return PROVIDER_OTHER;
	host += 8;
	len = strcspn(host, "/:?#@");
	for (size_t i = 0; i < PL_COUNT(hosts); i++)
		if (host[len] != '@' && strlen(hosts[i].host) == len && strncasecmp(host, hosts[i].host, len) == 0)
			return hosts[i].provider;
	return PROVIDER_OTHER;
}

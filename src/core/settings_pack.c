/* SPDX-License-Identifier: ISC */
/*
 * Writes a configuration as bytes and reads it back, to send it from the master to a running child.
 *
 * Both processes are forked from the same program, so numbers have the form of memory. A checksum of the schema detects
 * other versions. Only the schema determines which fields exist.
 */
#include <stdio.h>
#include <string.h>

#include "core/settings_check.h"

#define PACK_MAGIC 0x30676663706c3150ULL

struct unpack {
	const char *at;
	size_t left;
	struct pl_pool *pool;
	bool bad;
};

static uint64_t shape_word(void)
{
	return PACK_MAGIC ^ (uint64_t)sizeof(struct settings) << 40 ^ (uint64_t)sizeof(struct upstream_settings) << 20 ^
	    settings_schema.count << 8 ^ settings_schema.group_count ^ (uint64_t)sizeof(struct oidc_settings) << 32;
}

static void put_u64(struct pl_buf *out, uint64_t value)
{
	pl_buf_add(out, &value, sizeof(value));
}

static void put_text(struct pl_buf *out, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	put_u64(out, len);
	pl_buf_add(out, text != NULL ? text : "", len);
}

static void put_value(struct pl_buf *out, enum pl_setting_type type, const void *value)
{
	const struct pl_list *list = value;

	switch (type) {
	case PL_SET_BOOL:
		put_u64(out, *(const bool *)value);
		return;
	case PL_SET_ENUM:
		put_u64(out, (uint64_t)*(const int *)value);
		return;
	case PL_SET_STR:
	case PL_SET_SECRET:
	case PL_SET_LINES:
		put_text(out, *(const char *const *)value);
		return;
	case PL_SET_RATE:
		pl_buf_add(out, value, sizeof(struct pl_rate));
		return;
	case PL_SET_LIST:
		put_u64(out, (uint64_t)list->count);
		for (int i = 0; i < list->count; i++)
			put_text(out, list->items[i]);
		return;
	case PL_SET_INT:
	case PL_SET_SIZE:
	case PL_SET_TIME:
	case PL_SET_MODE:
		put_u64(out, (uint64_t)*(const int64_t *)value);
		return;
	}
}

static void put_rows(struct pl_buf *out, const struct pl_setting *rows, size_t count, const void *values)
{
	for (size_t i = 0; i < count; i++)
		put_value(out, rows[i].type, (const char *)values + rows[i].offset);
}

static void put_keys(struct pl_buf *out, const struct pl_keyring *keys)
{
	put_u64(out, (uint64_t)keys->count);
	put_u64(out, (uint64_t)keys->sign);
	for (int i = 0; i < keys->count; i++) {
		const struct pl_secret *secret = &keys->keys[i].secret;

		put_u64(out, (uint64_t)keys->made_s[i]);
		put_u64(out, secret->len);
		pl_buf_add(out, secret->ptr, secret->len);
	}
}

void config_pack(const struct config *config, struct pl_buf *out)
{
	pl_buf_room(out, 131072);	/* in one block, because growing would leave secrets in freed memory */
	put_u64(out, shape_word());
	put_rows(out, settings_schema.settings, settings_schema.count, &config->s);
	for (size_t i = 0; i < settings_schema.count; i++)
		put_text(out, config->cfg.origins != NULL ? config->cfg.origins[i] : NULL);
	put_u64(out, (uint64_t)config->upstreams_count);
	for (int i = 0; i < config->upstreams_count; i++) {
		put_text(out, config->upstreams[i].name);
		put_rows(out, settings_schema.group_settings, settings_schema.group_count, &config->upstreams[i]);
	}
	put_u64(out, (uint64_t)config->oidc_count);
	for (int i = 0; i < config->oidc_count; i++) {
		put_text(out, config->oidc[i].name);
		put_rows(out, settings_oidc.group_settings, settings_oidc.group_count, &config->oidc[i]);
	}
	put_keys(out, &config->keys);
	pl_buf_add(out, &config->seal_ring, sizeof(config->seal_ring));
}

static const char *get_bytes(struct unpack *in, size_t len)
{
	const char *at = in->at;

	if (in->bad || len > in->left) {
		in->bad = true;
		return NULL;
	}
	in->at += len;
	in->left -= len;
	return at;
}

static uint64_t get_u64(struct unpack *in)
{
	const char *at = get_bytes(in, sizeof(uint64_t));
	uint64_t value = 0;

	if (at != NULL)
		memcpy(&value, at, sizeof(value));
	return value;
}

static const char *get_text(struct unpack *in)
{
	size_t len = get_u64(in);
	const char *at = get_bytes(in, len);

	return at != NULL ? pl_strndup(in->pool, at, len) : "";
}

/* Reads how many elements follow. Each has at least `bytes` bytes. */
static int get_count(struct unpack *in, size_t bytes)
{
	uint64_t count = get_u64(in);

	if (count > in->left / bytes)
		in->bad = true;
	return in->bad ? 0 : (int)count;
}

static void get_list(struct unpack *in, struct pl_list *list)
{
	int count = get_count(in, sizeof(uint64_t));
	const char **items = pl_alloc(in->pool, ((size_t)count + 1) * sizeof(*items));

	for (int i = 0; i < count; i++)
		items[i] = get_text(in);
	list->items = items;
	list->count = count;
}

static void get_value(struct unpack *in, enum pl_setting_type type, void *value)
{
	const char *at;

	switch (type) {
	case PL_SET_BOOL:
		*(bool *)value = get_u64(in) != 0;
		return;
	case PL_SET_ENUM:
		*(int *)value = (int)get_u64(in);
		return;
	case PL_SET_STR:
	case PL_SET_SECRET:
	case PL_SET_LINES:
		*(const char **)value = get_text(in);
		return;
	case PL_SET_RATE:
		at = get_bytes(in, sizeof(struct pl_rate));
		if (at != NULL)
			memcpy(value, at, sizeof(struct pl_rate));
		return;
	case PL_SET_LIST:
		get_list(in, value);
		return;
	case PL_SET_INT:
	case PL_SET_SIZE:
	case PL_SET_TIME:
	case PL_SET_MODE:
		*(int64_t *)value = (int64_t)get_u64(in);
		return;
	}
}

static void get_rows(struct unpack *in, const struct pl_setting *rows, size_t count, void *values)
{
	for (size_t i = 0; i < count; i++)
		get_value(in, rows[i].type, (char *)values + rows[i].offset);
}

static void get_origins(struct unpack *in, struct config *config)
{
	config->cfg.origins = pl_alloc(in->pool, settings_schema.count * sizeof(*config->cfg.origins));
	for (size_t i = 0; i < settings_schema.count; i++)
		config->cfg.origins[i] = get_text(in);
}

static void get_upstreams(struct unpack *in, struct config *config)
{
	int count = get_count(in, sizeof(uint64_t) * settings_schema.group_count);

	config->upstreams = pl_alloc(in->pool, ((size_t)count + 1) * sizeof(*config->upstreams));
	config->upstreams_count = count;
	for (int i = 0; i < count; i++) {
		config->upstreams[i].name = get_text(in);
		get_rows(in, settings_schema.group_settings, settings_schema.group_count, &config->upstreams[i]);
	}
}

static void get_oidc(struct unpack *in, struct config *config)
{
	int count = get_count(in, sizeof(uint64_t) * settings_oidc.group_count);

	config->oidc = pl_alloc(in->pool, ((size_t)count + 1) * sizeof(*config->oidc));
	config->oidc_count = count;
	for (int i = 0; i < count; i++) {
		config->oidc[i].name = get_text(in);
		get_rows(in, settings_oidc.group_settings, settings_oidc.group_count, &config->oidc[i]);
	}
}

/* The lines `seal` of the ring do not travel: they are part of seal_ring. */
static void get_keys(struct unpack *in, struct pl_keyring *keys)
{
	int count = get_count(in, 2 * sizeof(uint64_t));
	uint64_t sign = get_u64(in);

	if (count > PL_KEYRING_KEYS || (count > 0 && sign >= (uint64_t)count) || (count == 0 && sign != 0))
		in->bad = true;
	for (int i = 0; i < count && !in->bad; i++) {
		int64_t made_s = (int64_t)get_u64(in);
		size_t len = get_u64(in);
		const char *at = get_bytes(in, len);

		if (at != NULL)
			pl_keyring_add(in->pool, keys, pl_strn(at, len), made_s);
	}
	keys->sign = (int)sign;
}

static void get_ring(struct unpack *in, struct pl_seal_ring *ring)
{
	const char *at = get_bytes(in, sizeof(*ring));

	if (at != NULL)
		memcpy(ring, at, sizeof(*ring));
}

struct config *config_unpack(struct pl_str bytes, char why[512])
{
	struct config *config = config_make();
	struct unpack in = { .at = bytes.ptr, .left = bytes.len, .pool = config->pool };

	if (get_u64(&in) == shape_word()) {
		get_rows(&in, settings_schema.settings, settings_schema.count, &config->s);
		get_origins(&in, config);
		get_upstreams(&in, config);
		get_oidc(&in, config);
		get_keys(&in, &config->keys);
		get_ring(&in, &config->seal_ring);
		if (!in.bad && in.left == 0)
			return config;
	}
	snprintf(why, 512, "the packed configuration (%zu bytes) is damaged", bytes.len);
	config_release(&config);
	return NULL;
}

/* SPDX-License-Identifier: ISC */
/*
 * A configuration file: the values that were read are printed, read again as overrides, and must stay the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfg.h"
#include "cfg_value.h"
#include "fuzz.h"

struct values {
	int64_t count, bytes, time_ms, mode;
	bool flag;
	const char *text, *secret;
	int word;
	struct pl_rate rate;
	struct pl_list list;
};

static const char *const words[] = { "red", "green", NULL };

#define AT(field) .offset = offsetof(struct values, field)
static const struct pl_setting settings[] = {
	{ .name = "count", .type = PL_SET_INT, .def = "2", .min = 1, .max = 64, AT(count) },
	{ .name = "flag", .type = PL_SET_BOOL, .def = "off", AT(flag) },
	{ .name = "bytes", .type = PL_SET_SIZE, .def = "64k", AT(bytes) },
	{ .name = "time", .type = PL_SET_TIME, .def = "10s", AT(time_ms) },
	{ .name = "text", .type = PL_SET_STR, .def = "x", AT(text) },
	{ .name = "secret", .type = PL_SET_SECRET, .def = "", .min = 8, .max = 100, AT(secret) },
	{ .name = "word", .type = PL_SET_ENUM, .def = "red", .words = words, AT(word) },
	{ .name = "rate", .type = PL_SET_RATE, .def = "5/min", AT(rate) },
	{ .name = "list", .type = PL_SET_LIST, .def = "a, b", AT(list) },
	{ .name = "mode", .type = PL_SET_MODE, .def = "0660", AT(mode) },
};
static const struct pl_schema schema = {
	.settings = settings, .count = PL_COUNT(settings), .group = "part", .group_settings = settings,
	.group_count = PL_COUNT(settings), .group_bytes = sizeof(struct values),
};

static void read_back(struct pl_pool *pool, const struct pl_cfg *cfg)
{
	struct values values = { 0 };
	struct pl_cfg again = { .pool = pool, .schema = &schema, .values = &values };

	for (size_t i = 0; i < PL_COUNT(settings); i++) {
		const char *text = pl_cfg_text(cfg, &settings[i], pool), *override;

		if (settings[i].type == PL_SET_SECRET)
			continue;
		override = pl_sprintf(pool, "%s=%s", settings[i].name, text);
		if (!pl_cfg_read(&again, NULL, &override, 1) ||
		    strcmp(pl_cfg_text(&again, &settings[i], pool), text) != 0)
			abort();
	}
	for (int i = 0; i < cfg->groups_count; i++)
		pl_cfg_value_text(&settings[0], (const struct values *)cfg->groups + i, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct values values = { 0 };
	struct pl_cfg cfg = { .pool = pool, .schema = &schema, .values = &values };
	int fd = memfd_create("fuzz", 0);
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (pl_cfg_read(&cfg, path, NULL, 0))
		read_back(pool, &cfg);
	else if (cfg.why[0] == '\0')
		abort();
	close(fd);
	pl_pool_free(&pool);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Reads configuration files by a table of settings: `key = value` lines, '#' and ';' comments, and repeated `[group
 * NAME]` sections. inih parses the grammar; this module checks types and bounds and writes the messages.
 */
#ifndef PL_CFG_H
#define PL_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gcra.h"
#include "str.h"

enum pl_setting_type {
	PL_SET_BOOL,	/* bool; on|off|yes|no|true|false|1|0 */
	PL_SET_INT,	/* int64_t */
	PL_SET_SIZE,	/* int64_t bytes; 512, 64k, 4M, 1G (powers of 1024) */
	PL_SET_TIME,	/* int64_t milliseconds; 500ms 5s 10min 24h 7d; a bare number is refused */
	PL_SET_STR,	/* const char *, "" when unset */
	PL_SET_SECRET,	/* const char *; printed as (secret) */
	PL_SET_LINES,	/* the same; may be repeated: one line per value */
	PL_SET_ENUM,	/* int: index into words */
	PL_SET_RATE,	/* struct pl_rate; min/max bound the burst */
	PL_SET_LIST,	/* struct pl_list: comma or blank separated words */
	PL_SET_MODE	/* int64_t: octal file mode */
};

struct pl_list { const char *const *items; int count; };

enum { PL_SET_RELOAD = 0, PL_SET_RESTART = 1 };

struct pl_setting {
	const char *name;
	enum pl_setting_type type;
	const char *def;		/* default as written in a file */
	int64_t min, max;		/* INT, SIZE (bytes), TIME (ms), RATE (burst); STR: length */
	const char *unit;		/* "bytes", "ms", "" ... for the manual */
	int flags;			/* PL_SET_RELOAD or PL_SET_RESTART */
	const char *const *words;	/* ENUM: NULL-terminated */
	const char *section;		/* heading in sample file and manual */
	const char *text;		/* description, one or more sentences */
	size_t offset;			/* in the struct that is filled */
};

struct pl_schema {
	const struct pl_setting *settings;
	size_t count;
	const char *group;			/* name of the repeated section or NULL */
	const struct pl_setting *group_settings;
	size_t group_count, group_bytes;
	const struct pl_schema *other;		/* another kind of repeated section, or NULL; only its group counts */
};

/* Where a value came from: "parlour.conf:12", "-o", "default". */
struct pl_cfg {
	struct pl_pool *pool;
	const struct pl_schema *schema;
	void *values;			/* the caller's zeroed struct */
	const char **texts;		/* per setting: the text that was read; never print it: it may be secret */
	const char **origins;		/* per setting */
	void *groups;			/* array of group_count_r structs of group_bytes */
	const char **group_names;
	int groups_count;
	struct pl_cfg *next;		/* sections of schema->other: their groups, group_names, groups_count */
	char why[512];			/* the first error: "parlour.conf:12: workers: 0 is below 1" */
};

/*
 * Fills cfg->values from the defaults, then the file (path NULL = none), then `overrides` ("key=value", later wins;
 * "group.NAME.key=value" reaches a group). Unknown keys are errors that name the nearest known key. A key given twice
 * in one file is an error. false: cfg->why has file:line, key, and rule.
 */
bool pl_cfg_read(struct pl_cfg *cfg, const char *path, const char *const *overrides, int overrides_count)
    __attribute__((warn_unused_result));
/*
 * The current value of a setting, in the form of a configuration file (rates, sizes, and times in their short form).
 * Secrets: "(secret)".
 */
const char *pl_cfg_text(const struct pl_cfg *cfg, const struct pl_setting *setting, struct pl_pool *pool);
const struct pl_setting *pl_cfg_find(const struct pl_schema *schema, const char *name);

#endif

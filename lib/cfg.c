/* SPDX-License-Identifier: ISC */
/*
 * Reads a configuration file through the settings' table.
 *
 * inih splits lines into section, name and value. Its handler gets no line numbers in Debian's build and is not called
 * for an empty section, so the lines come from feed_line(), which counts them and follows each section's line with one
 * of its own, `MARKER=`. Comments stand on lines of their own: a '#' or ';' behind a value belongs to the value.
 */
#include "cfg.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <unistd.h>

#include "cfg_value.h"

#define MARKER "\001section"	/* no line of a file can say that: control characters are refused */
#define LINE_MAX_BYTES 8192
#define FILE_MAX_BYTES (1024 * 1024)
#define SECTION_MAX_BYTES 48	/* inih cuts longer names without a word */
#define GROUP_NAME_MAX 32
#define KEY_COMPARED 64		/* for the suggestion */

struct table {
	const struct pl_setting *rows;
	size_t count;
};

struct load {
	struct pl_cfg *cfg;
	const char *path;
	struct pl_str rest;	/* of the file */
	int line;
	bool marker;		/* the next line to give is the marker */
	struct pl_cfg *kind;	/* of the section we are in */
	int group;		/* its index; -1 = above the first */
	int *lines;		/* per setting of this section: where it was set, 0 = not yet */
	int *top_lines, *group_lines;
};

static bool fail(struct pl_cfg *cfg, const char *origin, const char *fmt, ...) PL_PRINTF(3, 4);
static bool fail(struct pl_cfg *cfg, const char *origin, const char *fmt, ...)
{
	va_list args;
	int len;

	if (cfg->why[0] != '\0')
		return false;
	len = snprintf(cfg->why, sizeof(cfg->why), "%s: ", origin);
	if (len < 0 || (size_t)len >= sizeof(cfg->why))
		return false;
	va_start(args, fmt);
	vsnprintf(cfg->why + len, sizeof(cfg->why) - (size_t)len, fmt, args);
	va_end(args);
	return false;
}

static struct table top_table(const struct pl_schema *schema)
{
	return (struct table){ schema->settings, schema->count };
}

static struct table group_table(const struct pl_schema *schema)
{
	return (struct table){ schema->group_settings, schema->group_count };
}

/* The settings that a value at this place may have; group -1 = above all sections. */
static struct table table_of(const struct pl_cfg *cfg, const struct pl_cfg *kind, int group)
{
	return group < 0 ? top_table(cfg->schema) : group_table(kind->schema);
}

static const struct pl_setting *table_find(struct table table, struct pl_str name)
{
	for (size_t i = 0; i < table.count; i++) {
		if (pl_str_is(name, table.rows[i].name))
			return &table.rows[i];
	}
	return NULL;
}

const struct pl_setting *pl_cfg_find(const struct pl_schema *schema, const char *name)
{
	return table_find(top_table(schema), pl_str(name));
}

static int min3(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance of the first KEY_COMPARED bytes. */
static int edit_distance(struct pl_str a, struct pl_str b)
{
	int row[KEY_COMPARED + 1];

	a.len = a.len < KEY_COMPARED ? a.len : KEY_COMPARED;
	b.len = b.len < KEY_COMPARED ? b.len : KEY_COMPARED;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= a.len; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= b.len; j++) {
			int above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a.ptr[i - 1] != b.ptr[j - 1]));
			diagonal = above;
		}
	}
	return row[b.len];
}

static const char *nearest_name(struct table table, struct pl_str name)
{
	const char *best = NULL;
	int best_distance = 0;

	for (size_t i = 0; i < table.count; i++) {
		int distance = edit_distance(name, pl_str(table.rows[i].name));

		if (best == NULL || distance < best_distance) {
			best = table.rows[i].name;
			best_distance = distance;
		}
	}
	return best;
}

static bool fail_unknown(struct pl_cfg *cfg, const char *origin, const struct pl_cfg *kind, int group,
    struct pl_str name)
{
	const char *nearest = nearest_name(table_of(cfg, kind, group), name);

	if (group >= 0 && table_find(top_table(cfg->schema), name) != NULL)
		return fail(cfg, origin, "%.*s: this setting belongs above the first [%s] section", PL_FMT(name),
		    kind->schema->group);
	for (const struct pl_cfg *other = cfg; other != NULL; other = other->next) {
		if ((group < 0 || other != kind) && table_find(group_table(other->schema), name) != NULL)
			return fail(cfg, origin, "%.*s: this setting belongs in a [%s NAME] section", PL_FMT(name),
			    other->schema->group);
	}
	name.len = pl_utf8_cut(name.ptr, name.len, KEY_COMPARED);
	if (nearest == NULL)
		return fail(cfg, origin, "%.*s: unknown setting", PL_FMT(name));
	return fail(cfg, origin, "%.*s: unknown setting; did you mean %s?", PL_FMT(name), nearest);
}

static void *group_base(const struct pl_cfg *kind, int group)
{
	return (char *)kind->groups + (size_t)group * kind->schema->group_bytes;
}

/* Stores one value; group -1 = the settings above all sections. */
static bool set_value(struct pl_cfg *cfg, const char *origin, const struct pl_cfg *kind, int group,
    const struct pl_setting *setting, struct pl_str text)
{
	void *base = group < 0 ? cfg->values : group_base(kind, group);
	char why[256];
	size_t at;

	if (!pl_cfg_value_parse(cfg->pool, setting, text, base, why, sizeof(why)))
		return fail(cfg, origin, "%s: %s", setting->name, why);
	if (group < 0) {
		at = (size_t)(setting - cfg->schema->settings);
		cfg->texts[at] = pl_strndup(cfg->pool, text.ptr, text.len);
		cfg->origins[at] = origin;
	}
	return true;
}

static void set_defaults(struct pl_cfg *cfg, const struct pl_cfg *kind, int group)
{
	struct table table = table_of(cfg, kind, group);

	for (size_t i = 0; i < table.count; i++) {
		const struct pl_setting *row = &table.rows[i];
		const char *def = row->def != NULL ? row->def : "";

		/* Zero bytes are the value of a number or list without a default; texts become "". */
		if (def[0] == '\0' && row->type != PL_SET_STR && row->type != PL_SET_SECRET &&
		    row->type != PL_SET_LINES) {
			if (group < 0) {
				cfg->texts[i] = "";
				cfg->origins[i] = "default";
			}
		} else if (!set_value(cfg, "default", kind, group, row, pl_str(def))) {
			pl_bug(cfg->why, __FILE__, __LINE__);
		}
	}
}

static int group_find(const struct pl_cfg *kind, struct pl_str name)
{
	for (int i = 0; i < kind->groups_count; i++) {
		if (pl_str_is(name, kind->group_names[i]))
			return i;
	}
	return -1;
}

static bool group_name_ok(struct pl_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("._-", c) == NULL))
			return false;
	}
	return name.len > 0 && name.len <= GROUP_NAME_MAX;
}

/* A new group with its defaults; the array moves, so nobody may keep pointers into it while reading. */
static bool group_add(struct pl_cfg *cfg, const char *origin, struct pl_cfg *kind, struct pl_str name, int *group_r)
{
	size_t bytes = kind->schema->group_bytes, count = (size_t)kind->groups_count;
	char *groups;
	const char **names;

	if (!group_name_ok(name))
		return fail(cfg, origin, "[%s %.*s]: a name has 1 to %d letters, digits, '.', '_' or '-'",
		    kind->schema->group, PL_FMT(name), GROUP_NAME_MAX);
	groups = pl_alloc(cfg->pool, (count + 1) * bytes);
	names = pl_alloc(cfg->pool, (count + 1) * sizeof(*names));
	if (count > 0) {
		memcpy(groups, kind->groups, count * bytes);
		memcpy(names, kind->group_names, count * sizeof(*names));
	}
	names[count] = pl_strndup(cfg->pool, name.ptr, name.len);
	kind->groups = groups;
	kind->group_names = names;
	*group_r = kind->groups_count++;
	set_defaults(cfg, kind, *group_r);
	return true;
}

/* Does the text begin with the name of this kind of section, and not only with its first letters? */
static bool is_kind(const struct pl_cfg *kind, struct pl_str text)
{
	size_t len = strlen(kind->schema->group);

	return pl_str_starts(text, kind->schema->group) &&
	    (text.len == len || text.ptr[len] == ' ' || text.ptr[len] == '\t');
}

static const char *origin_here(const struct load *load)
{
	return pl_sprintf(load->cfg->pool, "%s:%d", load->path, load->line);
}

/* inih gives us a section's name before its first key. */
static bool begin_section(struct load *load, struct pl_str section)
{
	struct pl_cfg *cfg = load->cfg, *kind = cfg;
	const char *group = cfg->schema->group, *origin = origin_here(load);
	struct pl_str name = pl_str_trim(section);

	if (group == NULL)
		return fail(cfg, origin, "[%.*s]: this file has no sections", PL_FMT(name));
	if (section.len > SECTION_MAX_BYTES)
		return fail(cfg, origin, "[%.*s...]: longer than %d characters", PL_FMT(name), SECTION_MAX_BYTES);
	while (kind != NULL && !is_kind(kind, name))
		kind = kind->next;
	if (kind == NULL)
		return fail(cfg, origin, "[%.*s]: unknown section; write [%s NAME]%s%s%s", PL_FMT(name), group,
		    cfg->next != NULL ? " or [" : "", cfg->next != NULL ? cfg->next->schema->group : "",
		    cfg->next != NULL ? " NAME]" : "");
	group = kind->schema->group;
	name = pl_str_trim(pl_strn(name.ptr + strlen(group), name.len - strlen(group)));
	if (group_find(kind, name) >= 0)
		return fail(cfg, origin, "[%s %.*s]: a section with this name exists already", group, PL_FMT(name));
	load->lines = load->group_lines;
	memset(load->lines, 0, kind->schema->group_count * sizeof(*load->lines));
	load->kind = kind;
	return group_add(cfg, origin, kind, name, &load->group);
}

static bool file_value(struct load *load, struct pl_str name, struct pl_str value)
{
	struct pl_cfg *cfg = load->cfg;
	struct table table = table_of(cfg, load->kind, load->group);
	const struct pl_setting *setting = table_find(table, name);
	const char *origin = origin_here(load);
	int *line;

	if (setting == NULL)
		return fail_unknown(cfg, origin, load->kind, load->group, name);
	line = &load->lines[setting - table.rows];
	if (setting->type == PL_SET_LINES && *line != 0) {
		const void *base = load->group < 0 ? cfg->values : group_base(load->kind, load->group);

		value = pl_str(pl_sprintf(cfg->pool, "%s\n%.*s",
		    *(const char *const *)((const char *)base + setting->offset), PL_FMT(value)));
	} else if (*line != 0) {
		return fail(cfg, origin, "%s: already set on line %d", setting->name, *line);
	}
	*line = load->line;
	return set_value(cfg, origin, load->kind, load->group, setting, value);
}

/* inih's handler; 0 stops it. */
static int on_entry(void *arg, const char *section, const char *name, const char *value)
{
	struct load *load = arg;

	if (strcmp(name, MARKER) == 0)
		return begin_section(load, pl_str(section));
	return file_value(load, pl_str(name), pl_str(value));
}

static bool text_ok(struct pl_cfg *cfg, const char *origin, struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			return fail(cfg, origin, "the line contains a control character (0x%02x)", c);
	}
	return pl_utf8_ok(text.ptr, text.len) || fail(cfg, origin, "the line is not valid UTF-8");
}

static bool section_line_ok(struct load *load, struct pl_str line)
{
	/* inih ends the name at the first ']' and does not look at the rest. */
	if (memchr(line.ptr, ']', line.len) == line.ptr + line.len - 1)
		return true;
	return fail(load->cfg, origin_here(load), "a section line must be [%s NAME] and nothing else",
	    load->cfg->schema->group != NULL ? load->cfg->schema->group : "GROUP");
}

/* inih's reader, like fgets. NULL ends the file, also after an error, which is then in cfg->why. */
static char *feed_line(char *out, int out_bytes, void *arg)
{
	struct load *load = arg;
	struct pl_str line, bare;

	if (load->marker) {
		load->marker = false;
		snprintf(out, (size_t)out_bytes, MARKER "=\n");
		return out;
	}
	if (!pl_str_cut(&load->rest, '\n', &line))
		return NULL;
	load->line++;
	if (line.len > (size_t)out_bytes - 2)
		fail(load->cfg, origin_here(load), "the line is longer than %d bytes", out_bytes - 2);
	else
		text_ok(load->cfg, origin_here(load), line);
	if (load->cfg->why[0] != '\0')
		return NULL;
	bare = pl_str_trim(line.len > 0 && line.ptr[line.len - 1] == '\r' ? pl_strn(line.ptr, line.len - 1) : line);
	if (bare.len > 0 && bare.ptr[0] == '[') {
		load->marker = true;
		if (!section_line_ok(load, bare))
			return NULL;
	}
	snprintf(out, (size_t)out_bytes, "%.*s\n", PL_FMT(line));
	return out;
}

/* The whole file into cfg->pool. */
static bool file_load(struct pl_cfg *cfg, const char *path, struct pl_str *text_r)
{
	struct pl_buf text = PL_BUF(cfg->pool);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fail(cfg, path, "%s", strerror(errno));
	do {
		n = read(fd, pl_buf_room(&text, LINE_MAX_BYTES), LINE_MAX_BYTES);
		if (n > 0)
			text.len += (size_t)n;
	} while ((n > 0 && text.len <= FILE_MAX_BYTES) || (n < 0 && errno == EINTR));
	if (n < 0)
		fail(cfg, path, "%s", strerror(errno));
	else if (n > 0)
		fail(cfg, path, "larger than %d bytes; is this the right file?", FILE_MAX_BYTES);
	close(fd);
	*text_r = pl_str_unmarked(pl_buf_str(&text));
	return n == 0;
}

static bool read_file(struct pl_cfg *cfg, const char *path)
{
	struct load load = { .cfg = cfg, .path = path, .kind = cfg, .group = -1 };
	size_t most = 0;

	if (!file_load(cfg, path, &load.rest))
		return false;
	load.top_lines = pl_alloc(cfg->pool, cfg->schema->count * sizeof(*load.top_lines));
	for (const struct pl_cfg *kind = cfg; kind != NULL; kind = kind->next)
		most = kind->schema->group_count > most ? kind->schema->group_count : most;
	load.group_lines = pl_alloc(cfg->pool, most * sizeof(*load.group_lines));
	load.lines = load.top_lines;

	/* Settings of the library, for the whole process; nobody else here uses it. */
	ini_max_line = LINE_MAX_BYTES;
	ini_use_stack = true;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
	if (ini_parse_stream(feed_line, &load, on_entry, &load) != 0)
		fail(cfg, origin_here(&load), "expected `setting = value`, a section, or a comment");
	return cfg->why[0] == '\0';
}

/* "upstream.local.url" reaches setting `url` of group `local`; the group is made when the file has none. */
static bool override_group(struct pl_cfg *cfg, struct pl_str *name, struct pl_cfg **kind_r, int *group_r)
{
	struct pl_cfg *kind = cfg->schema->group != NULL ? cfg : NULL;
	size_t len = 0, dot = name->len;
	struct pl_str group_name;

	*kind_r = cfg;
	*group_r = -1;
	for (; kind != NULL; kind = kind->next) {
		len = strlen(kind->schema->group);
		if (name->len > len && pl_str_starts(*name, kind->schema->group) && name->ptr[len] == '.')
			break;
	}
	if (kind == NULL)
		return true;
	while (dot > len + 1 && name->ptr[dot - 1] != '.')
		dot--;
	if (dot == len + 1)
		return fail(cfg, "-o", "%.*s: write %s.NAME.setting=value", PL_FMT(*name), kind->schema->group);
	group_name = pl_strn(name->ptr + len + 1, dot - 1 - (len + 1));
	*name = pl_strn(name->ptr + dot, name->len - dot);
	*kind_r = kind;
	*group_r = group_find(kind, group_name);
	return *group_r >= 0 || group_add(cfg, "-o", kind, group_name, group_r);
}

static bool read_override(struct pl_cfg *cfg, const char *text)
{
	struct pl_str value = pl_str(text), name;
	const struct pl_setting *setting;
	struct pl_cfg *kind;
	int group;

	if (!pl_str_cut(&value, '=', &name) || value.ptr == NULL)
		return fail(cfg, "-o", "%s: write setting=value", text);
	name = pl_str_trim(name);
	value = pl_str_trim(value);
	if (!text_ok(cfg, "-o", value))
		return false;
	if (!override_group(cfg, &name, &kind, &group))
		return false;
	setting = table_find(table_of(cfg, kind, group), name);
	if (setting == NULL)
		return fail_unknown(cfg, "-o", kind, group, name);
	return set_value(cfg, "-o", kind, group, setting, value);
}

bool pl_cfg_read(struct pl_cfg *cfg, const char *path, const char *const *overrides, int overrides_count)
{
	size_t count = cfg->schema->count;

	cfg->texts = pl_alloc(cfg->pool, count * sizeof(*cfg->texts));
	cfg->origins = pl_alloc(cfg->pool, count * sizeof(*cfg->origins));
	cfg->groups = NULL;
	cfg->group_names = NULL;
	cfg->groups_count = 0;
	cfg->next = NULL;
	cfg->why[0] = '\0';
	for (struct pl_cfg *last = cfg; last->schema->other != NULL; last = last->next) {
		last->next = pl_alloc(cfg->pool, sizeof(*last->next));
		last->next->schema = last->schema->other;
	}
	set_defaults(cfg, cfg, -1);
	if (path != NULL && !read_file(cfg, path))
		return false;
	for (int i = 0; i < overrides_count; i++) {
		if (!read_override(cfg, overrides[i]))
			return false;
	}
	return true;
}

const char *pl_cfg_text(const struct pl_cfg *cfg, const struct pl_setting *setting, struct pl_pool *pool)
{
	return pl_cfg_value_text(setting, cfg->values, pool);
}

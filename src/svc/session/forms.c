/* SPDX-License-Identifier: ISC */
/*
 * The table of forms.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "svc/session/forms.h"

#define FORMS_MAX 32
#define NAME_MAX_BYTES 48

struct table { struct form *forms[FORMS_MAX]; int count; };

static struct table current;

static void clear(struct table *table)
{
	while (table->count > 0)
		form_release(&table->forms[--table->count]);
}

static bool load_one(struct table *table, const char *dir, const char *file, char why[512])
{
	char path[4096], name[NAME_MAX_BYTES + 1];
	size_t len = strlen(file);

	if (len <= 5 || len - 5 > NAME_MAX_BYTES || strcmp(file + len - 5, ".conf") != 0 || file[0] == '.')
		return true;
	if (table->count == FORMS_MAX) {
		snprintf(why, 512, "%s: more than %d forms", dir, FORMS_MAX);
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(name, sizeof(name), "%.*s", (int)(len - 5), file);
	table->forms[table->count] = form_read(path, name, why);
	return table->forms[table->count] != NULL && ++table->count > 0;
}

static bool read_all(struct table *table, const char *fallback, char why[512])
{
	const char *path = getenv("PARLOUR_FORMS_DIR");
	struct dirent *e;
	bool good = true;
	DIR *dir;

	path = path != NULL ? path : fallback;
	dir = opendir(path);
	if (dir == NULL) {
		pl_log(PL_LOG_WARN, NULL, "no forms", "dir=%s", path);
		return true;
	}
	while (good && (e = readdir(dir)) != NULL)
		good = load_one(table, path, e->d_name, why);
	closedir(dir);
	if (!good)
		clear(table);
	return good;
}

bool forms_load(const char *fallback, char why[512])
{
	struct table fresh = { .count = 0 };

	if (!read_all(&fresh, fallback, why))
		return false;
	clear(&current);
	current = fresh;
	return true;
}

bool forms_check(const char *fallback, char why[512])
{
	struct table fresh = { .count = 0 };
	bool good = read_all(&fresh, fallback, why);

	clear(&fresh);
	return good;
}

const struct form *forms_find(struct pl_str name)
{
	for (int i = 0; i < current.count; i++)
		if (pl_str_is(name, current.forms[i]->name))
			return current.forms[i];
	return NULL;
}

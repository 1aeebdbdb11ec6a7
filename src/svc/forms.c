/* SPDX-License-Identifier: ISC */
/*
 * The table of forms.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "svc/forms.h"

#define FORMS_MAX 32
#define NAME_MAX_BYTES 48

static struct form *forms[FORMS_MAX];
static int forms_count;

static bool load_one(const char *dir, const char *file, char why[512])
{
	char path[4096], name[NAME_MAX_BYTES + 1];
	size_t len = strlen(file);

	if (len <= 5 || len - 5 > NAME_MAX_BYTES || strcmp(file + len - 5, ".conf") != 0 || file[0] == '.')
		return true;
	if (forms_count == FORMS_MAX) {
		snprintf(why, 512, "%s: more than %d forms", dir, FORMS_MAX);
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(name, sizeof(name), "%.*s", (int)(len - 5), file);
	forms[forms_count] = form_read(path, name, why);
	return forms[forms_count] != NULL && ++forms_count > 0;
}

bool forms_load(const char *fallback, char why[512])
{
	const char *path = getenv("PARLOUR_FORMS_DIR");
	struct dirent *e;
	bool good = true;
	DIR *dir;

	while (forms_count > 0)
		form_free(&forms[--forms_count]);
	path = path != NULL ? path : fallback;
	dir = opendir(path);
	if (dir == NULL) {
		pl_log(PL_LOG_WARN, NULL, "no forms", "dir=%s", path);
		return true;
	}
	while (good && (e = readdir(dir)) != NULL)
		good = load_one(path, e->d_name, why);
	closedir(dir);
	return good;
}

const struct form *forms_find(struct pl_str name)
{
	for (int i = 0; i < forms_count; i++)
		if (pl_str_is(name, forms[i]->name))
			return forms[i];
	return NULL;
}

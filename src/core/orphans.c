/* SPDX-License-Identifier: ISC */
/* Finds orphans by the names that proc_name() gives: a child of this daemon whose parent is not called parlourd. */
#include "core/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 16

/* Reads name and parent of a process. false: it has ended, is a zombie, or is hidden. */
static bool process_read(const char *pid, char name_r[NAME_MAX_BYTES + 1], char parent_r[16])
{
	char path[64], text[512], state;
	const char *open, *close;
	FILE *file;
	int parent;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (open == NULL || close == NULL || close - open > NAME_MAX_BYTES ||
	    sscanf(close + 1, " %c %d", &state, &parent) != 2 || state == 'Z')
		return false;
	snprintf(name_r, NAME_MAX_BYTES + 1, "%.*s", (int)(close - open - 1), open + 1);
	snprintf(parent_r, 16, "%d", parent);
	return true;
}

static bool is_child_name(const char *name)
{
	return strncmp(name, "worker/", 7) == 0 || strncmp(name, "hasher/", 7) == 0 || strcmp(name, "clerk") == 0;
}

/* Any process can have the name, so the command line is checked, too. */
static bool is_ours(const char *pid)
{
	static const char title[] = "parlourd";
	char path[64], text[sizeof(title)] = "";
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fread(text, 1, sizeof(title) - 1, file);
	fclose(file);
	return got == sizeof(title) - 1 && memcmp(text, title, got) == 0;
}

bool orphans_live(void)
{
	char name[NAME_MAX_BYTES + 1], master[NAME_MAX_BYTES + 1], parent[16], ignored[16];
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && process_read(entry->d_name, name, parent) &&
		    is_child_name(name) && is_ours(entry->d_name) &&
		    (!process_read(parent, master, ignored) || strcmp(master, "parlourd") != 0);
	if (dir != NULL)
		closedir(dir);
	return found;
}

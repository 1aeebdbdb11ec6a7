/* SPDX-License-Identifier: ISC */
/*
 * parlourctl knowledge load.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "core/settings.h"
#include "ctl/ctl_knowledge.h"
#include "db/admin/db_import.h"
#include "leaf.h"
#include "svc/knowledge/chunk.h"

#define TEXT_BYTES_MAX 1048576

enum { EXIT_REFUSED = 65, EXIT_NO_DIR = 66, EXIT_AWAY = 69, EXIT_DB = 70 };

struct load { const char *dir, *language; struct db_import *db; FILE *complaints; int fresh, same, refused; };

static bool is_text(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && dot != name && (strcmp(dot, ".txt") == 0 || strcmp(dot, ".md") == 0);
}

/* NULL, or why the file cannot be a document. */
static const char *read_text(const char *path, struct pl_buf *out)
{
	FILE *file = fopen(path, "rbe");
	size_t got = 1;
	bool bad;

	if (file == NULL)
		return strerror(errno);
	while (got > 0 && out->len <= TEXT_BYTES_MAX) {
		got = fread(pl_buf_room(out, 65536), 1, 65536, file);
		out->len += got;
	}
	bad = ferror(file) != 0;
	fclose(file);
	if (bad)
		return "cannot be read";
	if (pl_str_unmarked(pl_buf_str(out)).len == 0 || out->len > TEXT_BYTES_MAX)
		return "must have 1 byte to 1 MiB";
	return pl_utf8_ok(out->ptr, out->len) ? NULL : "is not valid UTF-8";
}

/* The language in a name such as opening.de.txt, whose title is "opening"; NULL: none. */
static const char *language_of(struct pl_str *title)
{
	for (int i = 0; settings_languages[i] != NULL; i++) {
		size_t len = strlen(settings_languages[i]);

		if (title->len > len + 1 && title->ptr[title->len - len - 1] == '.' &&
		    memcmp(title->ptr + title->len - len, settings_languages[i], len) == 0) {
			title->len -= len + 1;
			return settings_languages[i];
		}
	}
	return NULL;
}

static bool store(struct load *load, struct pl_pool *pool, const char *name, struct pl_str text, char why[512])
{
	struct pl_str title = pl_strn(name, (size_t)(strrchr(name, '.') - name));
	const char *language = language_of(&title);
	unsigned char digest[32];
	char hex[65];
	struct import_document document = { .source = name, .text = pl_str_c(pool, text), .sha256 = hex,
		.chunks = pl_str_c(pool, chunk_json(pool, text)),
		.language = language != NULL ? language : load->language };
	bool fresh;

	document.title = pl_str_c(pool, pl_strn(title.ptr, pl_utf8_cut(title.ptr, title.len, 200)));
	pl_sha256(text.ptr, text.len, digest);
	pl_hex(digest, sizeof(digest), hex);
	hex[64] = '\0';
	if (!db_import_document(load->db, &document, &fresh, why))
		return false;
	load->fresh += fresh;
	load->same += !fresh;
	return true;
}

static bool one_file(struct load *load, const char *name, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf text = PL_BUF(pool);
	const char *bad = pl_utf8_ok(name, strlen(name)) ?
	    read_text(pl_sprintf(pool, "%s/%s", load->dir, name), &text) : "its name is not valid UTF-8";
	bool good = true;

	if (bad != NULL) {
		fprintf(load->complaints, "%s/%s: %s\n", load->dir, name, bad);
		load->refused++;
	} else {
		good = store(load, pool, name, pl_str_unmarked(pl_buf_str(&text)), why);
	}
	pl_pool_free(&pool);
	return good;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lists the text files of a directory, sorted; -1: it cannot be read (errno). */
static int list_files(struct pl_pool *pool, const char *dir, const char ***names_r)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;
	const char **names;
	int max = 64, count = 0;

	if (stream == NULL)
		return -1;
	names = pl_alloc(pool, (size_t)max * sizeof(*names));
	while ((entry = readdir(stream)) != NULL) {
		if (!is_text(entry->d_name))
			continue;
		if (count == max) {
			const char **more = pl_alloc(pool, (size_t)max * 2 * sizeof(*more));

			memcpy(more, names, (size_t)max * sizeof(*more));
			names = more;
			max *= 2;
		}
		names[count++] = pl_sprintf(pool, "%s", entry->d_name);
	}
	closedir(stream);
	qsort(names, (size_t)count, sizeof(*names), by_name);
	*names_r = names;
	return count;
}

static int load_files(struct load *load, const char *dsn, const char *const *names, int count, char why[512])
{
	bool good = true;
	char ignored[512];

	load->db = db_import_open(dsn, why);
	if (load->db == NULL)
		return EXIT_AWAY;
	for (int i = 0; i < count && good; i++)
		good = one_file(load, names[i], why);
	if (!db_import_close(&load->db, good, good ? why : ignored) || !good)
		return EXIT_DB;
	return load->refused > 0 ? EXIT_REFUSED : 0;
}

int ctl_knowledge_load(const char *dsn, const char *dir, const char *language, FILE *out, FILE *complaints,
    char why[512])
{
	struct load load = { .dir = dir, .language = language, .complaints = complaints };
	struct pl_pool *pool = pl_pool_new(0);
	const char **names = NULL;
	int count = list_files(pool, dir, &names), status = EXIT_NO_DIR;

	if (count < 0)
		snprintf(why, 512, "%.300s: %s", dir, strerror(errno));
	else
		status = load_files(&load, dsn, names, count, why);
	if (status == 0 || status == EXIT_REFUSED)
		fprintf(out, "%d loaded, %d unchanged, %d refused\n", load.fresh, load.same, load.refused);
	pl_pool_free(&pool);
	return status;
}

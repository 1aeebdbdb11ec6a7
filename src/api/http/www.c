/* SPDX-License-Identifier: ISC */
/* Files of src/www, held in memory: they are few and small, and a worker must not read from a disk while it serves. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/http/www.h"
#include "leaf.h"
#include "log.h"

#define FILES_MAX 64
#define FILE_BYTES_MAX (2 << 20)

static struct www_file files[FILES_MAX];
static int files_count;

static const char *type_of(const char *name)
{
	static const struct { const char *end, *type; } types[] = {
		{ ".html", "text/html; charset=utf-8" }, { ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" }, { ".svg", "image/svg+xml" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < PL_COUNT(types); i++)
		if (strcmp(dot, types[i].end) == 0)
			return types[i].type;
	return NULL;
}

void www_etag(struct pl_str body, char etag[WWW_ETAG_BYTES])
{
	unsigned char hash[32];

	pl_sha256(body.ptr, body.len, hash);
	etag[0] = '"';
	pl_hex(hash, 8, etag + 1);
	strcpy(etag + 17, "\"");
}

static void read_file(int dir, const char *name)
{
	struct www_file *f = &files[files_count];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *body;

	f->type = type_of(name);
	if (fd < 0 || f->type == NULL || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
		if (fd >= 0)
			close(fd);
		return;
	}
	body = pl_new((size_t)st.st_size + 1);
	if (read(fd, body, (size_t)st.st_size) == st.st_size) {
		char *copy = pl_new(strlen(name) + 1);

		memcpy(copy, name, strlen(name));
		f->name = pl_str(copy);
		f->body = pl_strn(body, (size_t)st.st_size);
		www_etag(f->body, f->etag);
		files_count++;
	} else {
		pl_free(body);
	}
	close(fd);
}

/* false: the directory does not exist. */
static bool read_dir(struct pl_str name)
{
	struct pl_pool *pool = pl_pool_new(0);
	DIR *dir = opendir(pl_str_c(pool, name));
	struct dirent *e;

	pl_pool_free(&pool);
	if (dir == NULL)
		return false;
	while ((e = readdir(dir)) != NULL && files_count < FILES_MAX)
		if (e->d_name[0] != '.')
			read_file(dirfd(dir), e->d_name);
	closedir(dir);
	return true;
}

void www_load(const char *fallback)
{
	const char *path = getenv("PARLOUR_WWW_DIR") != NULL ? getenv("PARLOUR_WWW_DIR") : fallback;
	struct pl_str rest = pl_str(path), dir;
	bool any = false;

	files_count = 0;
	while (pl_str_cut(&rest, ':', &dir))
		any |= read_dir(dir);
	if (!any)
		pl_log(PL_LOG_WARN, NULL, "no files for the chat page", "dir=%s", path);
}

const struct www_file *www_find(struct pl_str name)
{
	for (int i = 0; i < files_count; i++)
		if (pl_str_eq(files[i].name, name))
			return &files[i];
	return NULL;
}

/* SPDX-License-Identifier: ISC */
/*
 * parlourctl user export.
 */
#include "ctl/ctl_export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NOT_POSSIBLE = 65, EXIT_DB = 70, EXIT_CANNOT_CREATE = 73, EXIT_UNWRITTEN = 74 };

struct writing { FILE *out; int error; };

static bool write_text(void *arg, const char *text, size_t bytes)
{
	struct writing *w = arg;

	if (fwrite(text, 1, bytes, w->out) == bytes)
		return true;
	w->error = errno;
	return false;
}

static int to_stream(struct db_import *db, const char *user, FILE *out, char why[512])
{
	struct writing w = { .out = out };
	enum db_export_result result = db_export_account(db, user, write_text, &w, why);

	if (result == DB_EXPORT_OK && fflush(out) != 0) {
		result = DB_EXPORT_UNWRITTEN;
		w.error = errno;
	}
	switch (result) {
	case DB_EXPORT_OK:
		return 0;
	case DB_EXPORT_NOBODY:
		snprintf(why, 512, "there is no account %.200s", user);
		return EXIT_NOT_POSSIBLE;
	case DB_EXPORT_UNWRITTEN:
		snprintf(why, 512, "cannot write the export: %s", strerror(w.error));
		return EXIT_UNWRITTEN;
	default:
		return EXIT_DB;
	}
}

int ctl_export(struct db_import *db, const char *user, const char *path, FILE *out, char why[512])
{
	FILE *file;
	int fd, status;

	if (path == NULL || strcmp(path, "-") == 0)
		return to_stream(db, user, out, why);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file == NULL) {
		snprintf(why, 512, "cannot create %.300s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return EXIT_CANNOT_CREATE;
	}
	status = to_stream(db, user, file, why);
	if (status == 0 && fsync(fd) != 0) {
		snprintf(why, 512, "cannot write %.300s: %s", path, strerror(errno));
		status = EXIT_UNWRITTEN;
	}
	if (fclose(file) != 0 && status == 0) {
		snprintf(why, 512, "cannot write %.300s: %s", path, strerror(errno));
		status = EXIT_UNWRITTEN;
	}
	if (status != 0)
		unlink(path);
	else
		fprintf(out, "account %s exported to %s\n", user, path);
	return status;
}

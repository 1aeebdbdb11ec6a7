/* SPDX-License-Identifier: ISC */
/* Finds the files of sql/, and opens the synchronous connection that applies them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/admin/migrate_int.h"
#include "db/conn/pgerr.h"
#include "leaf.h"

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

const char *migrate_dir(const char *fallback)
{
	const char *dir = getenv("PARLOUR_SQL_DIR");

	return dir != NULL && dir[0] != '\0' ? dir : fallback;
}

static void ignore_notice(void *arg, const PGresult *res)
{
}

PGconn *migrate_connect(const char *dsn, const char *name, char why[512])
{
	const char *keys[] = { "dbname", "application_name", "client_encoding", "connect_timeout", NULL };
	const char *values[] = { dsn, name, "UTF8", "10", NULL };
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	char text[256];
	PGconn *pg;

	if (options == NULL) {		/* libpq's message would quote a part of the string, perhaps the password */
		snprintf(
		    why, 512, "the database connection string cannot be read (key=value pairs, or postgresql://...)");
		return NULL;
	}
	PQconninfoFree(options);
	pg = PQconnectdbParams(keys, values, 1);
	if (PQstatus(pg) == CONNECTION_OK) {
		PQsetNoticeReceiver(pg, ignore_notice, NULL);
		return pg;
	}
	pgerr_text(PQerrorMessage(pg), text);
	snprintf(why, 512, "no connection to the database: %s", text);
	PQfinish(pg);
	return NULL;
}

static void say_failure(const PGresult *res, const char *sql, const char *what, char why[512])
{
	const char *at = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
	char text[256];
	int line = 1;

	pgerr_text(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY), text);
	if (text[0] == '\0')
		pgerr_text(PQresultErrorMessage(res), text);
	if (at == NULL) {
		snprintf(why, 512, "%s: %s", what, text);
		return;
	}
	for (long i = 1; i < strtol(at, NULL, 10) && *sql != '\0'; sql++) {	/* the position is in characters */
		line += *sql == '\n';
		i += ((unsigned char)sql[1] & 0xc0) != 0x80;
	}
	snprintf(why, 512, "%s, line %d: %s", what, line, text);
}

bool migrate_exec(PGconn *pg, const char *sql, const char *what, char why[512])
{
	PGresult *res = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(res);
	bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;

	if (!good)
		say_failure(res, sql, what, why);
	PQclear(res);
	return good;
}

const char *migrate_value(PGconn *pg, struct pl_pool *pool, const char *sql, int count, const char *const *params,
    char why[512])
{
	PGresult *res = PQexecParams(pg, sql, count, NULL, params, NULL, NULL, 0);
	const char *value = NULL;

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		value = pl_strdup(pool, PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
	else
		say_failure(res, sql, "the database refused a query", why);
	PQclear(res);
	return value;
}

static char *read_file(struct pl_pool *pool, const char *path, char why[512])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX) {
		text = pl_alloc(pool, (size_t)st.st_size + 1);
		if (read(fd, text, (size_t)st.st_size) != st.st_size)
			text = NULL;
	}
	if (text == NULL)
		snprintf(why, 512, "cannot read %s: %s", path,
		    fd < 0 ? strerror(errno) : "not a plain file of at most 4 MiB");
	if (fd >= 0)
		close(fd);
	return text;
}

static bool load(struct pl_pool *pool, const char *dir, const char *name, struct migrate_file *file, char why[512])
{
	unsigned char sum[32];

	file->name = pl_strdup(pool, name);
	file->sql = read_file(pool, pl_sprintf(pool, "%s/%s", dir, name), why);
	if (file->sql == NULL)
		return false;
	pl_sha256(file->sql, strlen(file->sql), sum);
	pl_hex(sum, sizeof(sum), file->checksum);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns 1 for "001_schema.sql", and 0 for other files. */
static int version_of(const char *name)
{
	size_t len = strlen(name);

	if (len < 9 || strcmp(name + len - 4, ".sql") != 0 || name[3] != '_')
		return 0;
	if (!is_digit(name[0]) || !is_digit(name[1]) || !is_digit(name[2]))
		return 0;
	return (name[0] - '0') * 100 + (name[1] - '0') * 10 + (name[2] - '0');
}

static int by_version(const void *a, const void *b)
{
	return ((const struct migrate_file *)a)->version - ((const struct migrate_file *)b)->version;
}

/* Finds the numbered files, in any order. */
static int scan(struct pl_pool *pool, const char *dir, struct migrate_file *files, char why[512])
{
	DIR *handle = opendir(dir);
	struct dirent *entry;
	int count = 0;

	if (handle == NULL) {
		snprintf(why, 512, "cannot open %s: %s", dir, strerror(errno));
		return -1;
	}
	while (count >= 0 && (entry = readdir(handle)) != NULL) {
		int version = version_of(entry->d_name);

		if (version == 0 || count >= MIGRATE_FILES_MAX - 2)
			continue;
		files[count].version = version;
		count = load(pool, dir, entry->d_name, &files[count], why) ? count + 1 : -1;
	}
	closedir(handle);
	return count;
}

int migrate_files(struct pl_pool *pool, const char *dir, struct migrate_file *files, char why[512])
{
	static const char *const always[] = { "views.sql", "grants.sql" };
	int count = scan(pool, dir, files, why);

	if (count < 0)
		return -1;
	qsort(files, (size_t)count, sizeof(files[0]), by_version);
	for (int i = 0; i < count; i++) {
		if (files[i].version != i + 1) {
			snprintf(why, 512, "%s: the files are not numbered 1, 2, 3 ...: %s", dir, files[i].name);
			return -1;
		}
	}
	if (count != MIGRATE_VERSION) {
		snprintf(why, 512, "%s has %d numbered files, this program knows %d", dir, count, MIGRATE_VERSION);
		return -1;
	}
	for (size_t i = 0; i < PL_COUNT(always); i++) {
		files[count].version = 0;
		if (!load(pool, dir, always[i], &files[count], why))
			return -1;
		count++;
	}
	return count;
}

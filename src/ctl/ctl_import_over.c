/* SPDX-License-Identifier: ISC */
/*
 * parlourctl import users, roles, rooms, messages. The database checks the records (sql/010_import.sql). Here they are
 * split and sent as one array, because messages must be stored in the order of time.
 */
#include "ctl/ctl_import_int.h"
#include "db/admin/db_import.h"
#include "svc/usage/usage_read.h"

struct over { struct pl_buf lines, records; };

static const char *const kinds[][2] = { { "users", "user" }, { "roles", "role" }, { "rooms", "room" },
	{ "messages", "message" } };

const char *ctl_import_over_kind(const char *word)
{
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		if (strcmp(kinds[i][0], word) == 0)
			return kinds[i][1];
	return NULL;
}

static void refuse(struct import_run *run, const char *line, const char *why)
{
	run->refused++;
	fprintf(run->complaints, "%s:%s: %s\n", run->opts->path, line, why);
}

/* Appends an element to both array literals: {1,2 and {"..","..". */
static void add(struct over *over, struct pl_str record, int64_t line)
{
	size_t from = 0;

	pl_buf_addf(&over->lines, "%s%lld", over->lines.len > 0 ? "," : "{", (long long)line);
	pl_buf_adds(&over->records, over->records.len > 0 ? ",\"" : "{\"");
	for (size_t i = 0; i < record.len; i++) {
		if (record.ptr[i] != '"' && record.ptr[i] != '\\')
			continue;
		pl_buf_add(&over->records, record.ptr + from, i - from);
		pl_buf_adds(&over->records, "\\");
		from = i;
	}
	pl_buf_add(&over->records, record.ptr + from, record.len - from);
	pl_buf_adds(&over->records, "\"");
}

static void on_outcome(void *arg, const char *line, const char *outcome)
{
	struct import_run *run = arg;

	if (strcmp(outcome, "new") == 0 || strcmp(outcome, "known") == 0) {
		run->good++;
		run->fresh += strcmp(outcome, "new") == 0;
	} else {
		refuse(run, line, outcome);
	}
}

bool ctl_import_over(struct import_run *run, struct pl_str all, char why[512])
{
	struct over over = { 0 };
	struct usage_text text;
	struct pl_str record;
	int64_t line;
	char number[24];
	bool good;

	usage_text_init(&text, all, USAGE_OBJECTS);
	while (usage_text_next(&text, NULL, &record, &line)) {
		snprintf(number, sizeof(number), "%lld", (long long)line);
		if (text.error != NULL)
			refuse(run, number, text.error);
		else if (pl_utf8_ok(record.ptr, record.len) && memchr(record.ptr, '\0', record.len) == NULL)
			add(&over, record, line);
		else
			refuse(run, number, "not UTF-8");
	}
	if (over.lines.len == 0)
		return true;
	pl_buf_adds(&over.lines, "}");
	pl_buf_adds(&over.records, "}");
	good = db_import_over(run->db, run->opts->source, ctl_import_over_kind(run->opts->kind),
	    pl_buf_str(&over.lines), pl_buf_str(&over.records), on_outcome, run, why);
	pl_buf_fini(&over.lines);
	pl_buf_fini(&over.records);
	return good;
}

/* SPDX-License-Identifier: ISC */
/*
 * The directory: statements, parameters, row readers.
 */
#include "db/repo/repo_people.h"

#include "db/repo/repo_int.h"

static void read_person(struct pgrow *row, struct person *out)
{
	out->id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->name = pgrow_text(row);
	out->created_us = pgrow_time(row);
}

/* There is always a row, because it has the total. */
REPLY(on_people, struct person_list)
{
	int rows = repo_rows(query, res, &out->more);
	struct person *people = pl_alloc(query->task->pool, ((size_t)rows + 1) * sizeof(*people));

	for (int i = 0; i < rows; i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);

		out->total = pgrow_i64(&row);
		if (!pgrow_null(&row))
			read_person(&row, &people[out->count++]);
	}
	out->rows = people;
	return true;
}

void repo_people_find(
    struct db *db, struct pl_task *task, const struct people_ask *ask, repo_person_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PEOPLE_FIND, on_people, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_i64(query, ask->user_id);
	pgquery_cstr(query, ask->whom);
	pgquery_text(query, ask->query);
	pgquery_i64(query, ask->after);
	pgquery_i64_or_null(query, ask->offset, -1);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

REPLY(on_person, struct person)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_person(&row, out);
	return true;
}

void repo_person_get(struct db *db, struct pl_task *task, int64_t user_id, const char *whom, int64_t id,
    struct pl_str name, repo_person_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PERSON_GET, on_person, done, arg);

	pgquery_i64(query, user_id);
	pgquery_cstr(query, whom);
	pgquery_i64(query, id);
	pgquery_text(query, name);
	pgquery_start(query);
}

void repo_person_named(struct db *db, struct pl_task *task, struct pl_str name, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PERSON_NAMED, repo_on_count, done, arg);

	pgquery_text(query, name);
	pgquery_start(query);
}

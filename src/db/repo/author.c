/* SPDX-License-Identifier: ISC */
/* Looks up names that no single request waits for. The lookups of one loop turn share a statement. */
#include "db/repo/author.h"

#include <stdlib.h>

#include "clock.h"
#include "db/conn/pgrow.h"
#include "db/repo/names.h"

enum { LOOKUP_MAX = 256 };	/* users per statement */
#define LOOKUP_NS PL_NS_PER_S

struct author_send {
	TAILQ_ENTRY(author_send) link;
	struct pl_task *task;
	struct message_new in;
	repo_append_fn *done;
	void *arg;
};

struct lookup_names {
	TAILQ_ENTRY(lookup_names) link;
	struct authors *authors;
	struct pl_task *task;
	bool started, again;	/* again: a name changed meanwhile */
	int count;
	int64_t ids[LOOKUP_MAX];
	TAILQ_HEAD(, author_send) sends;
};

struct authors {
	struct db *db;
	TAILQ_HEAD(, lookup_names) lookups;
	int waiting;		/* messages that wait for it */
	bool scanning;		/* all names that may be outdated are looked up again, LOOKUP_MAX at a time */
	size_t scan_at;
};

static bool has_id(const struct lookup_names *lookup, int64_t user_id)
{
	for (int i = 0; i < lookup->count; i++)
		if (lookup->ids[i] == user_id)
			return true;
	return false;
}

/* Returns the lookup that will find this name. NULL: no lookup is possible now. */
static struct lookup_names *look_up(struct authors *authors, int64_t user_id)
{
	struct lookup_names *lookup, *open = NULL;
	struct db *db = authors->db;

	if (user_id <= 0 || db->stopping)
		return NULL;
	TAILQ_FOREACH(lookup, &authors->lookups, link) {
		if (has_id(lookup, user_id))
			return lookup;
		if (!lookup->started && lookup->count < LOOKUP_MAX)
			open = lookup;
	}
	if (db_slow(db, &stmts[S_USER_NAMES]))
		return NULL;
	if (open == NULL) {
		open = pl_new(sizeof(*open));
		open->authors = authors;
		open->task = pl_task_new(pl_now_ns() + LOOKUP_NS);
		TAILQ_INIT(&open->sends);
		TAILQ_INSERT_TAIL(&authors->lookups, open, link);
		db_want_turn(db);
	}
	open->ids[open->count++] = user_id;
	return open;
}

/* The messages are sent in order, whether or not the names were found. */
static void lookup_end(struct lookup_names *lookup)
{
	struct authors *authors = lookup->authors;
	struct author_send *send;

	TAILQ_REMOVE(&authors->lookups, lookup, link);
	while ((send = TAILQ_FIRST(&lookup->sends)) != NULL) {
		struct pl_task *task = send->task;

		TAILQ_REMOVE(&lookup->sends, send, link);
		authors->waiting--;
		wgroup_add(authors->db->wgroup, task, &send->in, send->done, send->arg);
		pl_task_release(&task);
	}
	pl_task_release(&lookup->task);
	pl_free(lookup);
}

static void scan(struct authors *authors)
{
	int64_t ids[LOOKUP_MAX];
	int count;

	if (!authors->scanning)
		return;
	count = db_names_unsure(authors->db, &authors->scan_at, ids, LOOKUP_MAX);
	authors->scanning = authors->scan_at != 0;
	for (int i = 0; i < count; i++)
		(void)look_up(authors, ids[i]);
}

static void put_rows(struct lookup_names *lookup, const PGresult *res)
{
	struct db *db = lookup->authors->db;
	bool found[LOOKUP_MAX] = { false };

	for (int i = 0; i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, lookup->task->pool);
		int64_t id = pgrow_i64(&row);
		struct pl_str name = pgrow_text(&row), display = pgrow_text(&row);

		db_name_put(db, id, name, display, !lookup->again);
		for (int k = 0; k < lookup->count; k++)
			found[k] = found[k] || lookup->ids[k] == id;
	}
	for (int i = 0; i < lookup->count; i++)
		if (!found[i])
			db_name_drop(db, lookup->ids[i]);
}

static void on_names(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct lookup_names *lookup = query->arg;
	struct authors *authors = lookup->authors;
	int64_t again[LOOKUP_MAX];
	int count = lookup->again ? lookup->count : 0;

	memcpy(again, lookup->ids, sizeof(again[0]) * (size_t)count);
	if (err == NULL)
		put_rows(lookup, res);
	lookup_end(lookup);
	if (err != NULL)
		return;		/* names that may be outdated are looked up when they are used */
	for (int i = 0; i < count; i++)
		author_want(authors->db, again[i]);
	scan(authors);
}

void authors_turn(struct authors *authors)
{
	struct lookup_names *lookup;

	TAILQ_FOREACH(lookup, &authors->lookups, link) {
		struct pgquery *query;

		if (lookup->started)
			continue;
		lookup->started = true;
		query = pgquery_new(authors->db, lookup->task, S_USER_NAMES, on_names, NULL, lookup);
		pgquery_i64s(query, lookup->ids, lookup->count, false);
		pgquery_start(query);
	}
}

/* ---- changes ---- */

void authors_notice(void *arg, const char *payload)
{
	struct authors *authors = arg;
	struct db *db = authors->db;
	int64_t id = payload != NULL ? strtoll(payload, NULL, 10) : 0;
	struct lookup_names *lookup;

	db->name_changes++;
	TAILQ_FOREACH(lookup, &authors->lookups, link)
		lookup->again = lookup->again || (lookup->started && (id == 0 || has_id(lookup, id)));
	if (id != 0) {
		db_name_doubt(db, id);
		if (db_name_state(db, id) != DB_NAME_UNKNOWN)
			author_want(db, id);
		return;
	}
	db_names_doubt(db);
	authors->scanning = true;
	authors->scan_at = 0;
	scan(authors);
}

void author_want(struct db *db, int64_t user_id)
{
	if (db_name_state(db, user_id) != DB_NAME_SURE)
		(void)look_up(db->authors, user_id);
}

void author_learn(struct pgquery *query, int64_t user_id, struct pl_str name, struct pl_str display)
{
	struct db *db = query->db;

	db_name_put(db, user_id, name, display, query->name_changes == db->name_changes);
	author_want(db, user_id);
}

/* ---- messages ---- */

static struct lookup_names *waits_behind(const struct authors *authors, int64_t user_id)
{
	struct lookup_names *lookup;
	const struct author_send *send;

	if (authors->waiting == 0)
		return NULL;
	TAILQ_FOREACH(lookup, &authors->lookups, link) {
		TAILQ_FOREACH(send, &lookup->sends, link) {
			if (send->in.author_id == user_id)
				return lookup;
		}
	}
	return NULL;
}

bool author_wait(struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg)
{
	struct author_send *send;
	struct lookup_names *lookup;

	if (in->author_kind != AUTHOR_USER)
		return false;
	lookup = waits_behind(db->authors, in->author_id);
	if (lookup == NULL) {
		enum db_name_state state = db_name_state(db, in->author_id);

		if (state != DB_NAME_SURE)
			lookup = look_up(db->authors, in->author_id);
		if (lookup == NULL || state != DB_NAME_UNKNOWN)
			return false;
	}
	send = pl_alloc(task->pool, sizeof(*send));
	*send = (struct author_send){ .task = pl_task_hold(task), .in = *in, .done = done, .arg = arg };
	send->in.client_id = pl_str_dup(task->pool, in->client_id);
	send->in.content = pl_str_dup(task->pool, in->content);
	send->in.generation_id = pl_str_dup(task->pool, in->generation_id);
	send->in.meta = pl_str_dup(task->pool, in->meta);
	TAILQ_INSERT_TAIL(&lookup->sends, send, link);
	db->authors->waiting++;
	return true;
}

/* ---- results ---- */

struct fill { const struct author_ref *refs; int count; author_fill_fn *done; void *result; };

static void on_filled(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	const struct fill *fill = query->extra;

	for (int i = 0; err == NULL && i < PQntuples(res); i++) {
		struct pgrow row = pgrow_at(res, i, query->task->pool);
		int64_t id = pgrow_i64(&row);
		struct pl_str name = pgrow_text(&row), display = pgrow_text(&row);

		author_learn(query, id, name, display);
		for (int k = 0; k < fill->count; k++) {
			if (fill->refs[k].user_id != id)
				continue;
			*fill->refs[k].name = name;
			if (fill->refs[k].display != NULL)
				*fill->refs[k].display = display;
		}
	}
	fill->done(query, fill->result, err);
}

/* Fills in the names that are known. The ids of the others (each once) go to missing[]. */
static int fill_known(struct pgquery *query, const struct author_ref *refs, int count, int64_t *missing)
{
	struct pl_str name = PL_STR_NONE, display = PL_STR_NONE;
	int missing_count = 0;

	for (int i = 0; i < count; i++) {
		int k = 0;

		if (i == 0 || refs[i].user_id != refs[i - 1].user_id) {
			name = pl_str(db_name_find(query->db, refs[i].user_id, &display));
			name = pl_str_dup(query->task->pool, name);
			display = pl_str_dup(query->task->pool, display);
			if (name.ptr != NULL)
				author_want(query->db, refs[i].user_id);
		}
		if (name.ptr != NULL) {
			*refs[i].name = name;
			if (refs[i].display != NULL)
				*refs[i].display = display;
			continue;
		}
		while (k < missing_count && missing[k] != refs[i].user_id)
			k++;
		if (k == missing_count)
			missing[missing_count++] = refs[i].user_id;
	}
	return missing_count;
}

void author_fill(struct pgquery *query, const struct author_ref *refs, int count, author_fill_fn *done, void *result)
{
	int64_t *missing = pl_alloc(query->task->pool, ((size_t)count + 1) * sizeof(*missing));
	int missing_count = fill_known(query, refs, count, missing);
	struct pgquery *names;
	struct fill *fill;

	if (missing_count == 0) {
		done(query, result, NULL);
		return;
	}
	names = pgquery_new(query->db, query->task, S_USER_NAMES, on_filled, query->done, query->arg);
	names->extra = fill = pl_alloc(names->pool, sizeof(*fill));
	*fill = (struct fill){ .refs = refs, .count = count, .done = done, .result = result };
	pgquery_i64s(names, missing, missing_count, false);
	pgquery_start(names);
}

/* ---- creation and end ---- */

struct authors *authors_new(struct db *db)
{
	struct authors *authors = pl_new(sizeof(*authors));

	authors->db = db;
	TAILQ_INIT(&authors->lookups);
	return authors;
}

void authors_stop(struct authors *authors)
{
	struct lookup_names *lookup = TAILQ_FIRST(&authors->lookups), *next;

	for (; lookup != NULL; lookup = next) {
		next = TAILQ_NEXT(lookup, link);
		if (!lookup->started)
			lookup_end(lookup);
	}
}

void authors_free(struct authors **authors)
{
	PL_BUG(!TAILQ_EMPTY(&(*authors)->lookups));
	pl_free(*authors);
	*authors = NULL;
}

/* SPDX-License-Identifier: ISC */
/* Queries: parameters in PostgreSQL's binary format, start, and completion. */
#include "db/conn/pgquery.h"

#include <endian.h>

#include "clock.h"
#include "db/db_int.h"

/* Type OIDs of PostgreSQL's catalog (pg_type.dat), required inside binary arrays. */
enum { OID_INT8 = 20, OID_TEXT = 25 };
#define PG_EPOCH_US 946684800000000LL	/* 2000-01-01 UTC */

struct pgquery *pgquery_new(
    struct db *db, struct pl_task *task, enum stmt_id stmt, pgquery_fn *finish, pgquery_done_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pgquery *query = pl_alloc(pool, sizeof(*query));

	*query = (struct pgquery){ .db = db, .pool = pool, .stmt = &stmts[stmt], .finish = finish, .done = done,
		.arg = arg, .started_ns = pl_now_ns() };
	if (task != NULL)
		query->task = pl_task_hold(task);
	return query;
}

/* Adds the next parameter. NULL data is SQL's NULL. */
static void add(struct pgquery *query, char letter, const void *data, size_t bytes)
{
	PL_BUG(query->count >= PGQUERY_ARGS_MAX || query->stmt->args[query->count] != letter || bytes > INT32_MAX);
	query->values[query->count] = data;
	query->lengths[query->count] = (int)bytes;
	query->count++;
}

static void *copy(struct pgquery *query, const void *data, size_t bytes)
{
	return memcpy(pl_alloc(query->pool, bytes > 0 ? bytes : 1), data, bytes);
}

static void add_u64(struct pgquery *query, char letter, uint64_t value)
{
	uint64_t net = htobe64(value);

	add(query, letter, copy(query, &net, sizeof(net)), sizeof(net));
}

void pgquery_i64(struct pgquery *query, int64_t value)
{
	add_u64(query, 'l', (uint64_t)value);
}

void pgquery_i64_or_null(struct pgquery *query, int64_t value, int64_t null)
{
	if (value == null)
		add(query, 'l', NULL, 0);
	else
		pgquery_i64(query, value);
}

void pgquery_i32(struct pgquery *query, int32_t value)
{
	uint32_t net = htobe32((uint32_t)value);

	add(query, 'i', copy(query, &net, sizeof(net)), sizeof(net));
}

void pgquery_i32_or_null(struct pgquery *query, int32_t value, int32_t null)
{
	if (value == null)
		add(query, 'i', NULL, 0);
	else
		pgquery_i32(query, value);
}

void pgquery_f64_or_null(struct pgquery *query, double value, bool null)
{
	uint64_t bits;

	if (null) {
		add(query, 'd', NULL, 0);
		return;
	}
	memcpy(&bits, &value, sizeof(bits));
	add_u64(query, 'd', bits);
}

void pgquery_bool(struct pgquery *query, bool value)
{
	add(query, 'b', value ? "\1" : "\0", 1);
}

void pgquery_bool_or_null(struct pgquery *query, int value)
{
	if (value < 0)
		add(query, 'b', NULL, 0);
	else
		pgquery_bool(query, value > 0);
}

void pgquery_text(struct pgquery *query, struct pl_str value)
{
	PL_BUG(value.ptr != NULL && !pl_utf8_ok(value.ptr, value.len));
	add(query, 't', value.ptr != NULL ? copy(query, value.ptr, value.len) : NULL, value.len);
}

void pgquery_cstr(struct pgquery *query, const char *value)
{
	pgquery_text(query, pl_str(value));
}

void pgquery_bytes(struct pgquery *query, const void *data, size_t bytes)
{
	add(query, 'y', data != NULL ? copy(query, data, bytes) : NULL, bytes);
}

void pgquery_time(struct pgquery *query, int64_t wall_us)
{
	if (wall_us == 0)
		add(query, 'z', NULL, 0);
	else
		add_u64(query, 'z', (uint64_t)(wall_us - PG_EPOCH_US));
}

static void put_i32(struct pl_buf *buf, int32_t value)
{
	uint32_t net = htobe32((uint32_t)value);

	pl_buf_add(buf, &net, sizeof(net));
}

/*
 * Writes the header of a one-dimensional array (array_recv in PostgreSQL's arrayfuncs.c). An empty array has no
 * dimension.
 */
static void put_array(struct pl_buf *buf, int oid, int count)
{
	put_i32(buf, count > 0 ? 1 : 0);
	put_i32(buf, 1);	/* the array may contain NULLs */
	put_i32(buf, oid);
	if (count > 0) {
		put_i32(buf, count);
		put_i32(buf, 1);
	}
}

void pgquery_i64s(struct pgquery *query, const int64_t *values, int count, bool zero_is_null)
{
	struct pl_buf buf = PL_BUF(query->pool);

	if (count < 0) {
		add(query, 'L', NULL, 0);
		return;
	}
	pl_buf_room(&buf, 20 + (size_t)count * 12);
	put_array(&buf, OID_INT8, count);
	for (int i = 0; i < count; i++) {
		uint64_t net = htobe64((uint64_t)values[i]);

		if (values[i] == 0 && zero_is_null) {
			put_i32(&buf, -1);
			continue;
		}
		put_i32(&buf, sizeof(net));
		pl_buf_add(&buf, &net, sizeof(net));
	}
	add(query, 'L', buf.ptr, buf.len);
}

void pgquery_texts(struct pgquery *query, const struct pl_str *values, int count)
{
	struct pl_buf buf = PL_BUF(query->pool);
	size_t bytes = 20 + (size_t)count * 4;

	for (int i = 0; i < count; i++)
		bytes += values[i].len;
	pl_buf_room(&buf, bytes);
	put_array(&buf, OID_TEXT, count);
	for (int i = 0; i < count; i++) {
		if (values[i].ptr == NULL) {
			put_i32(&buf, -1);
			continue;
		}
		PL_BUG(!pl_utf8_ok(values[i].ptr, values[i].len));
		put_i32(&buf, (int32_t)values[i].len);
		pl_buf_addstr(&buf, values[i]);
	}
	add(query, 'T', buf.ptr, buf.len);
}

void pgquery_audited(struct pgquery *query)
{
	PL_BUG(query->stmt->class == STMT_READ || query->place.rank != PGQUERY_ALONE || query->task == NULL);
	query->audited = true;
}

static enum shed_way way_of(const struct pgquery *query)
{
	return query->stmt->class == STMT_READ && query->db->read != NULL ? SHED_READ : SHED_OTHER;
}

void pgquery_group(struct pgquery *query, enum pgquery_rank rank, int64_t a, int64_t b)
{
	query->place = (struct pgquery_place){ .rank = rank, .a = a, .b = b };
}

/* Work under an Idempotency-Key has a separate transaction. */
static bool may_share(const struct pgquery *query)
{
	return query->place.rank != PGQUERY_ALONE && query->db->group != NULL &&
	    (query->task == NULL || query->task->once == NULL);
}

void pgquery_start(struct pgquery *query)
{
	struct db *db = query->db;

	PL_BUG(query->stmt->args[query->count] != '\0');
	TAILQ_INSERT_TAIL(&db->active, query, active);
	db->active_count++;
	query->name_changes = db->name_changes;
	query->way = way_of(query);
	query->work = shed_begin(&db->shed, query->way, query->started_ns);
	db_arm_sweep(db);
	if (query->task != NULL && query->task->cancelled)
		pgquery_fail_later(query, PL_E_CANCELLED, 0);
	else if (db->active_count > DB_QUEUE_MAX)
		pgquery_fail_later(query, PL_E_BUSY, 1);
	else if (query->stmt->class == STMT_READ && db->read != NULL)
		pgread_start(db->read, query);
	else if (may_share(query))
		pggroup_start(db->group, query);
	else
		pgplain_start(db->plain, query);
}

void pgquery_finish(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	int64_t now_ns;

	if (query->finished)
		return;
	query->finished = true;
	TAILQ_REMOVE(&query->db->active, query, active);
	query->db->active_count--;
	now_ns = pl_now_ns();
	shed_end(&query->db->shed, query->way, query->work, res != NULL, now_ns);
	if (query->task != NULL)
		query->task->sql_ns += now_ns - query->started_ns;
	query->finish(query, res, err);
	if (query->task != NULL)
		pl_task_release(&query->task);
}

void pgquery_fail(struct pgquery *query, enum pl_code code, int retry_after_s)
{
	struct pl_err err;

	pl_err_set(&err, code, NULL);
	err.retry_after_s = retry_after_s;
	pgquery_finish(query, NULL, &err);
}

void pgquery_fail_later(struct pgquery *query, enum pl_code code, int retry_after_s)
{
	pl_err_set(&query->fail, code, NULL);
	query->fail.retry_after_s = retry_after_s;
	query->queue = &query->db->failed;
	TAILQ_INSERT_TAIL(&query->db->failed, query, link);
	db_again(query->db);
}

struct pgquery *pgquery_ghost(const struct pgquery *query)
{
	struct pgquery *ghost = pgquery_new(query->db, NULL, STMT_ID(query->stmt), NULL, NULL, NULL);

	ghost->finished = ghost->sent = true;
	ghost->preparing = query->preparing;
	return ghost;
}

void pgquery_free(struct pgquery **callp)
{
	struct pl_pool *pool = (*callp)->pool;

	PL_BUG(!(*callp)->finished);
	*callp = NULL;
	pl_pool_free(&pool);
}

/* SPDX-License-Identifier: ISC */
/*
 * Calls: parameters in PostgreSQL's binary form, start, completion.
 */
#include "db/conn/pgcall.h"

#include <endian.h>

#include "clock.h"
#include "db/db_int.h"

/* Type numbers of PostgreSQL's catalog (pg_type.dat), needed inside binary arrays. */
enum { OID_INT8 = 20, OID_TEXT = 25 };
#define PG_EPOCH_US 946684800000000LL	/* 2000-01-01 UTC */

struct pgcall *pgcall_new(
    struct db *db, struct pl_task *task, enum stmt_id stmt, pgcall_fn *finish, pgcall_done_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pgcall *call = pl_alloc(pool, sizeof(*call));

	*call = (struct pgcall){ .db = db, .pool = pool, .stmt = &stmts[stmt], .finish = finish, .done = done,
		.arg = arg, .started_ns = pl_now_ns() };
	if (task != NULL)
		call->task = pl_task_hold(task);
	return call;
}

/* The next parameter; NULL data is SQL's NULL. */
static void add(struct pgcall *call, char letter, const void *data, size_t bytes)
{
	PL_BUG(call->count >= PGCALL_ARGS_MAX || call->stmt->args[call->count] != letter || bytes > INT32_MAX);
	call->values[call->count] = data;
	call->lengths[call->count] = (int)bytes;
	call->count++;
}

static void *copy(struct pgcall *call, const void *data, size_t bytes)
{
	return memcpy(pl_alloc(call->pool, bytes > 0 ? bytes : 1), data, bytes);
}

static void add_u64(struct pgcall *call, char letter, uint64_t value)
{
	uint64_t net = htobe64(value);

	add(call, letter, copy(call, &net, sizeof(net)), sizeof(net));
}

void pgcall_i64(struct pgcall *call, int64_t value)
{
	add_u64(call, 'l', (uint64_t)value);
}

void pgcall_i64_or_null(struct pgcall *call, int64_t value, int64_t null)
{
	if (value == null)
		add(call, 'l', NULL, 0);
	else
		pgcall_i64(call, value);
}

void pgcall_i32(struct pgcall *call, int32_t value)
{
	uint32_t net = htobe32((uint32_t)value);

	add(call, 'i', copy(call, &net, sizeof(net)), sizeof(net));
}

void pgcall_i32_or_null(struct pgcall *call, int32_t value, int32_t null)
{
	if (value == null)
		add(call, 'i', NULL, 0);
	else
		pgcall_i32(call, value);
}

void pgcall_f64_or_null(struct pgcall *call, double value, bool null)
{
	uint64_t bits;

	if (null) {
		add(call, 'd', NULL, 0);
		return;
	}
	memcpy(&bits, &value, sizeof(bits));
	add_u64(call, 'd', bits);
}

void pgcall_bool(struct pgcall *call, bool value)
{
	add(call, 'b', value ? "\1" : "\0", 1);
}

void pgcall_bool_or_null(struct pgcall *call, int value)
{
	if (value < 0)
		add(call, 'b', NULL, 0);
	else
		pgcall_bool(call, value > 0);
}

void pgcall_text(struct pgcall *call, struct pl_str value)
{
	PL_BUG(value.ptr != NULL && !pl_utf8_ok(value.ptr, value.len));
	add(call, 't', value.ptr != NULL ? copy(call, value.ptr, value.len) : NULL, value.len);
}

void pgcall_cstr(struct pgcall *call, const char *value)
{
	pgcall_text(call, pl_str(value));
}

void pgcall_bytes(struct pgcall *call, const void *data, size_t bytes)
{
	add(call, 'y', copy(call, data, bytes), bytes);
}

void pgcall_time(struct pgcall *call, int64_t wall_us)
{
	if (wall_us == 0)
		add(call, 'z', NULL, 0);
	else
		add_u64(call, 'z', (uint64_t)(wall_us - PG_EPOCH_US));
}

static void put_i32(struct pl_buf *buf, int32_t value)
{
	uint32_t net = htobe32((uint32_t)value);

	pl_buf_add(buf, &net, sizeof(net));
}

/* Header of a one-dimensional array (array_recv in PostgreSQL's arrayfuncs.c); an empty one has no dimension. */
static void put_array(struct pl_buf *buf, int oid, int count)
{
	put_i32(buf, count > 0 ? 1 : 0);
	put_i32(buf, 1);	/* may hold NULLs */
	put_i32(buf, oid);
	if (count > 0) {
		put_i32(buf, count);
		put_i32(buf, 1);
	}
}

void pgcall_i64s(struct pgcall *call, const int64_t *values, int count, bool zero_is_null)
{
	struct pl_buf buf = PL_BUF(call->pool);

	if (count < 0) {
		add(call, 'L', NULL, 0);
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
	add(call, 'L', buf.ptr, buf.len);
}

void pgcall_texts(struct pgcall *call, const struct pl_str *values, int count)
{
	struct pl_buf buf = PL_BUF(call->pool);
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
	add(call, 'T', buf.ptr, buf.len);
}

static enum shed_way way_of(const struct pgcall *call)
{
	return call->stmt->class == STMT_READ && call->db->read != NULL ? SHED_READ : SHED_OTHER;
}

void pgcall_group(struct pgcall *call, enum pgcall_rank rank, int64_t a, int64_t b)
{
	call->place = (struct pgcall_place){ .rank = rank, .a = a, .b = b };
}

/* An Idempotency-Key's work is a transaction of its own. */
static bool may_share(const struct pgcall *call)
{
	return call->place.rank != PGCALL_ALONE && call->db->group != NULL &&
	    (call->task == NULL || call->task->once == NULL);
}

void pgcall_start(struct pgcall *call)
{
	struct db *db = call->db;

	PL_BUG(call->stmt->args[call->count] != '\0');
	TAILQ_INSERT_TAIL(&db->active, call, active);
	db->active_count++;
	call->way = way_of(call);
	call->work = shed_begin(&db->shed, call->way, call->started_ns);
	db_arm_sweep(db);
	if (call->task != NULL && call->task->cancelled)
		pgcall_fail_later(call, PL_E_CANCELLED, 0);
	else if (db->active_count > DB_QUEUE_MAX)
		pgcall_fail_later(call, PL_E_BUSY, 1);
	else if (call->stmt->class == STMT_READ && db->read != NULL)
		pgread_start(db->read, call);
	else if (may_share(call))
		pggroup_start(db->group, call);
	else
		pgplain_start(db->plain, call);
}

void pgcall_finish(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	int64_t now_ns;

	if (call->finished)
		return;
	call->finished = true;
	TAILQ_REMOVE(&call->db->active, call, active);
	call->db->active_count--;
	now_ns = pl_now_ns();
	shed_end(&call->db->shed, call->way, call->work, res != NULL, now_ns);
	if (call->task != NULL)
		call->task->sql_ns += now_ns - call->started_ns;
	call->finish(call, res, err);
	if (call->task != NULL)
		pl_task_release(&call->task);
}

void pgcall_fail(struct pgcall *call, enum pl_code code, int retry_after_s)
{
	struct pl_err err;

	pl_err_set(&err, code, NULL);
	err.retry_after_s = retry_after_s;
	pgcall_finish(call, NULL, &err);
}

void pgcall_fail_later(struct pgcall *call, enum pl_code code, int retry_after_s)
{
	pl_err_set(&call->fail, code, NULL);
	call->fail.retry_after_s = retry_after_s;
	call->queue = &call->db->failed;
	TAILQ_INSERT_TAIL(&call->db->failed, call, link);
	db_again(call->db);
}

struct pgcall *pgcall_ghost(const struct pgcall *call)
{
	struct pgcall *ghost = pgcall_new(call->db, NULL, STMT_ID(call->stmt), NULL, NULL, NULL);

	ghost->finished = ghost->sent = true;
	ghost->preparing = call->preparing;
	return ghost;
}

void pgcall_free(struct pgcall **callp)
{
	struct pl_pool *pool = (*callp)->pool;

	PL_BUG(!(*callp)->finished);
	*callp = NULL;
	pl_pool_free(&pool);
}

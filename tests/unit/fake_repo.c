/* SPDX-License-Identifier: ISC */
/*
 * The queue of calls and the model of rooms behind them.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "fake_repo.h"

/* Any completion: cast back where the function is known. */
typedef void (any_fn)(void);

struct fake_call {
	TAILQ_ENTRY(fake_call) link;
	enum fake_fn fn;
	struct pl_task *task;
	int64_t room_id, user_id, after, bytes;
	int limit, ids_count;
	int64_t ids[FAKE_ROOMS];
	struct message_new in;
	any_fn *done;
	void *arg;
};
TAILQ_HEAD(fake_queue, fake_call);

struct said { int64_t room_id, seq, author_id; char content[32], client_id[64]; };

static struct {
	struct fake_queue queue;
	struct fake_room rooms[FAKE_ROOMS];
	int rooms_count, said_count;
	struct said said[FAKE_SAID];
	struct { enum pl_code code; int times; } failures[FAKE_FNS];
	int calls[FAKE_FNS];
	int64_t after;
	char text[FAKE_SAID * 16];
} f;

void fake_repo_init(void)
{
	memset(&f, 0, sizeof(f));
	TAILQ_INIT(&f.queue);
}

static struct fake_room *find(int64_t room_id)
{
	for (int i = 0; i < f.rooms_count; i++)
		if (f.rooms[i].id == room_id && !f.rooms[i].gone)
			return &f.rooms[i];
	return NULL;
}

struct fake_room *fake_room(int64_t room_id, int64_t last_seq)
{
	struct fake_room *room = &f.rooms[f.rooms_count++];

	ck_assert_int_le(f.rooms_count, FAKE_ROOMS);
	*room = (struct fake_room){ .id = room_id, .last_seq = last_seq, .epoch = 1, .members = { 1 },
		.members_count = 1 };
	return room;
}

static bool is_member(const struct fake_room *room, int64_t user_id)
{
	for (int i = 0; i < room->members_count; i++)
		if (room->members[i] == user_id)
			return true;
	return false;
}

int fake_repo_waiting(enum fake_fn fn)
{
	struct fake_call *call;
	int count = 0;

	TAILQ_FOREACH(call, &f.queue, link)
		count += call->fn == fn;
	return count;
}

int fake_repo_calls(enum fake_fn fn)
{
	return f.calls[fn];
}

int64_t fake_repo_after(void)
{
	return f.after;
}

void fake_repo_fail(enum fake_fn fn, enum pl_code code, int times)
{
	f.failures[fn].code = code;
	f.failures[fn].times = times;
}

const char *fake_repo_said(int64_t room_id)
{
	size_t used = 0;

	f.text[0] = '\0';
	for (int i = 0; i < f.said_count; i++)
		if (f.said[i].room_id == room_id)
			used += (size_t)snprintf(f.text + used, sizeof(f.text) - used, "%s%lld:%s",
			    used > 0 ? " " : "", (long long)f.said[i].author_id, f.said[i].content);
	return f.text;
}

/* ---- answers ---- */

static struct room_event log_row(struct pl_pool *pool, const struct fake_room *room, int64_t seq)
{
	char *content = pl_alloc(pool, sizeof(f.said[0].content));
	struct room_event row = { .is_message = seq != room->left_seq };

	snprintf(content, sizeof(f.said[0].content), "%lld", (long long)seq);
	for (int i = 0; i < f.said_count; i++)
		if (f.said[i].room_id == room->id && f.said[i].seq == seq)
			memcpy(content, f.said[i].content, sizeof(f.said[i].content));
	if (row.is_message) {
		row.message = (struct message){ .room_id = room->id, .seq = seq, .author_id = 1,
			.content = pl_str(content) };
	} else {
		snprintf(content, sizeof(f.said[0].content), "{\"user_id\":%lld}", (long long)room->left_user);
		row.change = (struct room_change){ .room_id = room->id, .seq = seq, .kind = PL_STR("left"),
			.body = pl_str(content) };
	}
	return row;
}

static void answer_log(const struct fake_call *call, const struct pl_err *err)
{
	const struct fake_room *room = find(call->room_id);
	struct room_log log = { .count = 0 };
	struct pl_err gone = { 0 };
	struct room_event *rows = pl_alloc(call->task->pool, (size_t)call->limit * sizeof(*rows));
	int64_t end;

	if (err == NULL && room == NULL) {
		pl_err_set(&gone, PL_E_NOT_FOUND, NULL);
		err = &gone;
	}
	if (err == NULL) {
		end = room->log_ends > 0 ? room->log_ends : room->last_seq;
		for (int64_t seq = call->after + 1; seq <= end && log.count < call->limit; seq++)
			rows[log.count++] = log_row(call->task->pool, room, seq);
		log.rows = rows;
		log.more = call->after + log.count < end;
		log.last_seq = end;
		log.epoch = room->epoch;
	}
	((repo_room_log_fn *)call->done)(call->arg, err == NULL ? &log : NULL, err);
}

static void answer_head(const struct fake_call *call, const struct pl_err *err)
{
	const struct fake_room *room = find(call->room_id);
	struct room_head head = { .room_id = call->room_id };

	if (room != NULL) {
		head.last_seq = room->last_seq;
		head.epoch = room->epoch;
		head.is_member = is_member(room, call->user_id);
		head.can_read = head.is_member || !room->closed;
	}
	((repo_room_head_fn *)call->done)(call->arg, err == NULL ? &head : NULL, err);
}

static void answer_heads(const struct fake_call *call, const struct pl_err *err)
{
	struct room_head heads[FAKE_ROOMS];
	struct room_head_list list = { .rows = heads };

	for (int i = 0; i < call->ids_count; i++) {
		const struct fake_room *room = find(call->ids[i]);

		if (room != NULL)
			heads[list.count++] = (struct room_head){ .room_id = room->id, .last_seq = room->last_seq,
				.epoch = room->epoch };
	}
	((repo_room_head_list_fn *)call->done)(call->arg, err == NULL ? &list : NULL, err);
}

static void answer_join(const struct fake_call *call, const struct pl_err *err)
{
	struct fake_room *room = find(call->room_id);
	struct room_result result = { .room = { .id = call->room_id } };
	struct pl_err hidden = { 0 };

	if (err == NULL && (room == NULL || room->closed)) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);
		err = &hidden;
	} else if (err == NULL && !is_member(room, call->user_id)) {
		ck_assert_int_lt(room->members_count, FAKE_MEMBERS);
		room->members[room->members_count++] = call->user_id;
		result.change = (struct room_change){ .room_id = room->id, .seq = ++room->last_seq,
			.kind = PL_STR("joined"), .body = PL_STR("{}") };
	}
	((repo_room_result_fn *)call->done)(call->arg, err == NULL ? &result : NULL, err);
}

/* The first message with that client_id, or NULL. */
static const struct said *said_before(const struct fake_call *call)
{
	for (int i = 0; i < f.said_count; i++)
		if (call->in.client_id.ptr != NULL && f.said[i].room_id == call->room_id &&
		    pl_str_is(call->in.client_id, f.said[i].client_id))
			return &f.said[i];
	return NULL;
}

static void answer_append(const struct fake_call *call, const struct pl_err *err)
{
	struct fake_room *room = find(call->room_id);
	const struct said *before = said_before(call);
	struct appended result = { .client_id = call->in.client_id, .duplicate = before != NULL };
	struct pl_err refused = { 0 };

	if (err == NULL && (room == NULL || !is_member(room, call->in.author_id))) {
		pl_err_set(&refused, room == NULL ? PL_E_NOT_FOUND : PL_E_FORBIDDEN, NULL);
		err = &refused;
	} else if (err == NULL && before != NULL) {
		result.seq = before->seq;
	} else if (err == NULL) {
		struct said *said = &f.said[f.said_count++];

		ck_assert_int_le(f.said_count, FAKE_SAID);
		said->room_id = room->id;
		said->seq = result.seq = ++room->last_seq;
		said->author_id = call->in.author_id;
		snprintf(said->content, sizeof(said->content), "%.*s", PL_FMT(call->in.content));
		snprintf(said->client_id, sizeof(said->client_id), "%.*s", PL_FMT(call->in.client_id));
	}
	((repo_append_fn *)call->done)(call->arg, err == NULL ? &result : NULL, err);
}

static void complete(struct fake_call *call)
{
	static void (*const answers[FAKE_FNS])(const struct fake_call *call, const struct pl_err *err) = {
		[FAKE_LOG] = answer_log, [FAKE_HEAD] = answer_head, [FAKE_HEADS] = answer_heads,
		[FAKE_JOIN] = answer_join, [FAKE_APPEND] = answer_append };
	struct pl_task *task = call->task;
	struct pl_err err = { 0 };
	bool fails = f.failures[call->fn].times > 0;

	TAILQ_REMOVE(&f.queue, call, link);
	if (fails) {
		f.failures[call->fn].times--;
		pl_err_set(&err, f.failures[call->fn].code, NULL);
	}
	answers[call->fn](call, fails ? &err : NULL);
	pl_task_release(&task);
}

bool fake_repo_run(enum fake_fn fn)
{
	struct fake_call *call;

	TAILQ_FOREACH(call, &f.queue, link) {
		if (call->fn == fn) {
			complete(call);
			return true;
		}
	}
	return false;
}

void fake_repo_run_all(void)
{
	struct fake_call *call;

	while ((call = TAILQ_FIRST(&f.queue)) != NULL)
		complete(call);
}

/* ---- what the linker puts in place of the repo functions ---- */

static struct fake_call *call_new(enum fake_fn fn, struct pl_task *task, int64_t room_id, any_fn *done, void *arg)
{
	struct fake_call *call = pl_alloc(task->pool, sizeof(*call));

	*call = (struct fake_call){ .fn = fn, .task = pl_task_hold(task), .room_id = room_id, .done = done,
		.arg = arg };
	TAILQ_INSERT_TAIL(&f.queue, call, link);
	f.calls[fn]++;
	return call;
}

void __wrap_repo_room_log(struct db *db, struct pl_task *task, int64_t room_id, int64_t after, int limit,
    int64_t bytes, repo_room_log_fn *done, void *arg);
void __wrap_repo_room_log(struct db *db, struct pl_task *task, int64_t room_id, int64_t after, int limit,
    int64_t bytes, repo_room_log_fn *done, void *arg)
{
	struct fake_call *call = call_new(FAKE_LOG, task, room_id, (any_fn *)done, arg);

	call->after = f.after = after;
	call->limit = limit;
}

void __wrap_repo_room_head(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_head_fn *done, void *arg);
void __wrap_repo_room_head(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_head_fn *done, void *arg)
{
	call_new(FAKE_HEAD, task, room_id, (any_fn *)done, arg)->user_id = user_id;
}

void __wrap_repo_room_heads(struct db *db, struct pl_task *task, const int64_t *room_ids, int count,
    repo_room_head_list_fn *done, void *arg);
void __wrap_repo_room_heads(struct db *db, struct pl_task *task, const int64_t *room_ids, int count,
    repo_room_head_list_fn *done, void *arg)
{
	struct fake_call *call = call_new(FAKE_HEADS, task, 0, (any_fn *)done, arg);

	ck_assert_int_le(count, FAKE_ROOMS);
	memcpy(call->ids, room_ids, (size_t)count * sizeof(room_ids[0]));
	call->ids_count = count;
}

void __wrap_repo_room_join(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_result_fn *done, void *arg);
void __wrap_repo_room_join(struct db *db, struct pl_task *task, int64_t room_id, int64_t user_id,
    repo_room_result_fn *done, void *arg)
{
	call_new(FAKE_JOIN, task, room_id, (any_fn *)done, arg)->user_id = user_id;
}

void __wrap_repo_message_append(struct db *db, struct pl_task *task, const struct message_new *in,
    repo_append_fn *done, void *arg);
void __wrap_repo_message_append(struct db *db, struct pl_task *task, const struct message_new *in,
    repo_append_fn *done, void *arg)
{
	call_new(FAKE_APPEND, task, in->room_id, (any_fn *)done, arg)->in = *in;
}

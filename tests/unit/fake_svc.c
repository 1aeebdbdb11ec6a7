/* SPDX-License-Identifier: ISC */
/*
 * The parts of a worker that the hub and chat need, created for one test.
 */
#include <stdio.h>

#include "shm_fixture.h"

#include "fake_svc.h"
#include "svc/bus/bus.h"
#include "svc/room/chat.h"

struct svc fake_svc;
struct hub *fake_hub;

static struct worker worker;
static int64_t now_ns;

#define WALL_US 1795000000000000LL

void fake_svc_setup(void)
{
	char why[512] = "";
	struct config *config = config_read(NULL, NULL, 0, why);

	ck_assert_msg(config != NULL, "%s", why);
	now_ns = 1000 * PL_NS_PER_S;
	pl_clock_fake(now_ns, WALL_US);
	fixture_setup();
	fake_repo_init();
	worker = (struct worker){ .kind = PROC_WORKER, .base = event_base_new(), .shm = fixture_take(0),
		.config = config };
	fake_svc = (struct svc){ .worker = &worker, .shm = worker.shm, .db = (struct db *)&worker };
	fake_svc.bus = bus_new(&fake_svc);
	fake_svc.hub = fake_hub = hub_new(&fake_svc);
	fake_svc.chat = chat_new(&fake_svc);
}

void fake_svc_teardown(void)
{
	struct config *config = (struct config *)(uintptr_t)worker.config;

	fake_repo_run_all();
	bus_free(&fake_svc.bus);
	chat_free(&fake_svc.chat);
	hub_free(&fake_svc.hub);
	event_base_free(worker.base);
	config_release(&config);
	fixture_teardown();
	pl_clock_fake(0, 0);
}

struct pl_task *fake_task(int64_t user_id)
{
	struct pl_task *task = pl_task_new(INT64_MAX);

	task->who.user_id = user_id;
	return task;
}

void fake_skip_ms(int64_t ms)
{
	now_ns += ms * PL_NS_PER_MS;
	pl_clock_fake(now_ns, WALL_US);
}

void fake_gap_timer(void)
{
	hub_log_on_timer(-1, 0, fake_hub);
}

/* ---- listeners ---- */

static void hear(struct ear *ear, const char *word, int64_t number)
{
	ear->used += (size_t)snprintf(ear->text + ear->used, sizeof(ear->text) - ear->used,
	    number >= 0 ? "%s%s%lld" : "%s%s", ear->used > 0 ? " " : "", word, (long long)number);
	ck_assert_uint_lt(ear->used, sizeof(ear->text));
}

static bool on_event(struct hub_sub *sub, struct hub_event *event)
{
	struct ear *ear = sub->owner;

	if (event->kind == HUB_GENERATION && event->gen.state == HUB_GEN_DONE)
		hear(ear, "done=", event->gen.answer_seq);
	if (event->kind != HUB_LOG)
		return true;
	if (ear->room == 0)
		return false;
	ear->room--;
	hear(ear, "", event->seq);
	return true;
}

static void on_ended(struct hub_sub *sub)
{
	struct ear *ear = sub->owner;

	hear(ear, "ended", -1);
	ear_close(ear);
}

static void on_reset(struct hub_sub *sub, int64_t epoch, int64_t seq)
{
	struct ear *ear = sub->owner;

	hear(ear, "reset=", seq);
	if (ear->silences != NULL)
		ear_close(ear->silences);
}

static void on_stalled(struct hub_sub *sub, const struct pl_err *err)
{
	hear(sub->owner, "stalled", -1);
}

static void on_subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct ear *ear = arg;

	if (err != NULL) {
		hear(ear, "error=", pl_err_info(err->code)->http_status);
		ear->sub = NULL;
		return;
	}
	hear(ear, "head=", result->seq);
	if (result->recovered)
		ear->used += (size_t)snprintf(ear->text + ear->used, sizeof(ear->text) - ear->used, ",recovered");
}

void ear_ask(struct ear *ear, int64_t room_id, int64_t since, int64_t user_id)
{
	static const struct hub_sub_ops ops = { .event = on_event, .ended = on_ended, .reset = on_reset,
		.stalled = on_stalled };
	struct pl_task *task = fake_task(user_id);

	ear->room = INT32_MAX;
	ear->used = 0;
	ear->text[0] = '\0';
	ear->silences = NULL;
	ear->sub = hub_subscribe(fake_hub, task, room_id, since, 0, &ops, ear, on_subscribed, ear);
	pl_task_release(&task);
}

void ear_open(struct ear *ear, int64_t room_id, int64_t since)
{
	ear_ask(ear, room_id, since, 1);
	ck_assert(fake_repo_run(FAKE_HEAD));
}

void ear_close(struct ear *ear)
{
	hub_unsubscribe(fake_hub, &ear->sub);
}

void ear_clear(struct ear *ear)
{
	ear->used = 0;
	ear->text[0] = '\0';
}

void ear_heard(const struct ear *ear, const char *text)
{
	ck_assert_str_eq(ear->text, text);
}

void ear_heard_range(const struct ear *ear, int64_t first, int64_t last)
{
	const char *at = ear->text;
	char *end;

	for (int64_t seq = first; seq <= last; seq++) {
		ck_assert_int_eq(strtoll(at, &end, 10), seq);
		at = end;
	}
	ck_assert_str_eq(at, "");
}

void fake_arrives(int64_t room_id, int64_t seq, size_t bytes)
{
	struct hub_event *event = hub_event_new(HUB_LOG, room_id);
	char *text = pl_alloc(event->pool, bytes + 1);

	memset(text, 'x', bytes);
	event->seq = seq;
	event->log = (struct room_event){ .is_message = true, .message = { .room_id = room_id, .seq = seq,
		.content = pl_strn(text, bytes) } };
	hub_log_arrived(fake_hub, event);
	hub_event_release(&event);
}

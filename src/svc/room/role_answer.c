/* SPDX-License-Identifier: ISC */
/*
 * An answer of a role in a room, as operations of the engine (svc/answer/answer.h): role_answer_start -> run_on_begun
 * -> role_context -> role_asked -> role_delta* -> role_answered -> role_store -> role_end -> role_over.
 *
 * The text is appended with the client id "gen:ID", so there is only one message even if several processes store it.
 */
#include <event2/event.h>
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "json.h"
#include "log.h"
#include "svc/answer/answer.h"
#include "svc/room/hub.h"
#include "svc/room/role_int.h"

#define RETRY_S 1
#define ADOPT_S 3	/* after a death, other workers store the text of its answers; what they leave is marked then */
#define ASKED_S 5	/* a refused message that was sent again: time to find out whether it has its answer */
#define LINGER_S 2	/* the text remains in shared memory for viewers on other workers */

struct role_answers {
	struct svc *svc;
	struct event *late;			/* marks answers that no worker adopted */
};

/* Its texts are in the answer's pool. */
struct role_answer {
	struct answer *answer;
	struct svc *svc;
	struct role_question question;
	struct role role;
	char client_id[PL_UUID_LEN + 5];	/* "gen:" and the id: at most one answer per generation */
	enum gen_state outcome;
	enum pl_code code;			/* the code of the error that ended it */
	bool lasting;				/* another attempt would fail, too */
	const char *stop;			/* the reason for the end, as in its usage */
	struct pl_str meta, reasoning;
	struct generation_end end;
};

/* text: of a delta, otherwise absent. */
static void role_tell(struct role_answer *role, int state, enum pl_code error, struct pl_str text)
{
	struct hub_generation gen = { .role_id = role->role.id, .asker_id = role->question.asker_id,
		.reply_to = role->question.seq, .state = state, .offset = (int64_t)role->answer->text.len,
		.answer_seq = role->end.answer_seq, .role_name = role->role.name, .error = error,
		.lasting = role->lasting, .text = text,
		.detail = error != PL_E_OK ? role->end.error_detail : PL_STR_NONE };

	memcpy(gen.id, role->answer->id, sizeof(gen.id));
	hub_generation(role->svc->hub, role->question.room_id, &gen);
}

/* ---- the question ---- */

static int to_messages(const struct role_answer *role, const struct message_list *list, struct llm_message *out)
{
	int n = 0;

	for (int i = 0; i < list->count; i++) {
		const struct message *m = &list->rows[i];
		bool own = m->author_kind == AUTHOR_ROLE && m->author_id == role->role.id;

		if (m->deleted_us == 0)
			out[n++] = (struct llm_message){ .from = own ? LLM_ASSISTANT : LLM_USER,
				.name = own ? PL_STR_NONE : m->author_name, .text = m->content };
	}
	return answer_fit(role->answer->task->pool, out, n, role->answer->config->s.llm_context);
}

static void run_on_history(void *arg, const struct message_list *list, const struct pl_err *err)
{
	struct role_answer *role = arg;
	struct answer *answer = role->answer;
	struct pl_err gone = { 0 };
	struct llm_message *messages;

	answer->ask = (struct llm_request){ .max_tokens = role->role.max_tokens, .model = role->role.model,
		.temperature = role->role.temperature < 0 ? (double)NAN : role->role.temperature,
		.config = answer->config };
	if (err == NULL && !answer_upstream(answer->config, role->role.upstream, &answer->ask.upstream)) {
		pl_err_set(&gone, PL_E_UPSTREAM, "The role's upstream \"%.*s\" is not configured.",
		    PL_FMT(role->role.upstream));
		err = &gone;
	}
	if (err != NULL) {
		answer_fail(answer, err);
		return;
	}
	messages = pl_alloc(answer->task->pool, ((size_t)list->count + 1) * sizeof(*messages));
	answer->ask.messages = messages;
	answer->ask.messages_count = to_messages(role, list, messages);
	answer->ask.system =
	    pl_str(pl_sprintf(answer->task->pool,
	    "You are %.*s, taking part in the chat room \"%.*s\". Messages of "
	    "others begin with their name and a colon; yours do not.\n%.*s", PL_FMT(role->role.display),
	    PL_FMT(role->question.room_name), PL_FMT(role->role.instructions)));
	answer->search = list->count > 0 ? list->rows[list->count - 1].content : PL_STR("");
	answer_ready(answer);
}

static void role_context(struct answer *answer)
{
	struct role_answer *role = answer->owner;

	struct message_range range = { .after = -1, .before = role->question.seq + 1,
		.limit = (int)answer->config->s.llm_history, .most = ANSWER_CONTEXT_READ, .bytes = INT32_MAX };

	role_tell(role, HUB_GEN_QUEUED, PL_E_OK, PL_STR_NONE);
	repo_message_page(role->svc->db, answer->task, role->question.room_id, 0, &range, run_on_history, role);
}

static void role_asked(struct answer *answer)
{
	role_tell(answer->owner, HUB_GEN_STARTED, PL_E_OK, PL_STR_NONE);
}

static void role_delta(struct answer *answer, struct pl_str text)
{
	role_tell(answer->owner, HUB_GEN_DELTA, PL_E_OK, text);
}

static void role_answered(struct answer *answer, const struct llm_result *result, const struct pl_err *err)
{
	static const enum gen_state outcomes[] = { [ANSWER_WHOLE] = GEN_DONE, [ANSWER_FAILED] = GEN_FAILED,
		[ANSWER_STOPPED] = GEN_CANCELLED, [ANSWER_CUT] = GEN_INTERRUPTED };
	static const char *const stops[] = { [ANSWER_WHOLE] = "length", [ANSWER_FAILED] = "failed",
		[ANSWER_STOPPED] = "cancelled", [ANSWER_CUT] = "interrupted" };
	struct role_answer *role = answer->owner;
	const struct upstream_settings *upstream = answer->ask.upstream;

	role->end.model = result != NULL ? pl_str_dup(answer->task->pool, result->model) : role->role.model;
	if (result != NULL) {
		role->end.upstream = pl_str_dup(answer->task->pool,
		    pl_str(upstream != NULL ? upstream->name : LLM_LOCAL));
		role->end.prompt_tokens = result->prompt_tokens;
		role->end.completion_tokens = result->completion_tokens;
		role->end.cost_micros = result->cost_micros;
		role->end.estimated = result->estimated && role->end.completion_tokens >= 0;
		role->reasoning = pl_str_dup(answer->task->pool, result->reasoning);
	}
	role->end.first_text_us = answer->first_text_us;
	role->outcome = outcomes[answer->outcome];
	role->stop = stops[answer->outcome];
	if (answer->outcome == ANSWER_WHOLE && !answer->full && result != NULL)
		role->stop = llm_stop_text(result->stop);
	if (answer->outcome == ANSWER_FAILED) {
		role->end.error_code = pl_str(pl_err_info(err->code)->code);
		role->lasting = err->lasting;
		if (err->detail[0] != '\0')
			role->end.error_detail = pl_str_dup(answer->task->pool, pl_str(err->detail));
		pl_log(PL_LOG_WARN, answer->task, "answer failed", "generation=%s room=%lld error=%s detail=%s",
		    answer->id, (long long)role->question.room_id, pl_err_info(err->code)->code, pl_err_text(err));
	}
	if (answer->text.len > 0)
		answer_flush(answer); /* viewers must not receive text after the message */
}

/* ---- storing ---- */

/* {"model","usage":{..},"citations":[..],"knowledge","reasoning"} */
static struct pl_str write_meta(struct role_answer *role)
{
	struct answer *answer = role->answer;
	struct pl_buf buf = PL_BUF(answer->task->pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kstr(&w, "model", role->end.model);
	pl_jw_kraw(&w, "usage", answer_usage(answer->task->pool, role->end.prompt_tokens, role->end.completion_tokens,
	    role->end.estimated, role->stop));
	if (answer->citations.ptr != NULL)
		pl_jw_kraw(&w, "citations", answer->citations);
	if (answer->knowledge.ptr != NULL)
		pl_jw_kstr(&w, "knowledge", answer->knowledge);
	if (role->reasoning.ptr != NULL)
		pl_jw_kstr(&w, "reasoning", role->reasoning);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

static void role_waits(struct answer *answer, const struct pl_err *err)
{
	pl_log(PL_LOG_WARN, answer->task, "end of an answer has to wait", "generation=%s error=%s", answer->id,
	    pl_err_info(err->code)->code);
}

static void unstored(struct role_answer *role, const struct pl_err *err)
{
	struct answer *answer = role->answer;

	pl_log(PL_LOG_WARN, answer->task, "answer not stored as a message", "generation=%s error=%s", answer->id,
	    pl_err_info(err->code)->code);
	if (answer->adopted && err->code == PL_E_CONFLICT)
		return; /* the whole answer was stored before its worker died; its row is updated next */
	/* if the role was removed meanwhile, the text remains in the row */
	role->end.partial = pl_buf_str(&answer->text);
	role->end.error_code = pl_str(pl_err_info(err->code)->code);
	if (role->outcome == GEN_DONE)
		role->outcome = GEN_FAILED;
}

static void on_stored(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct role_answer *role = arg;
	struct answer *answer = role->answer;
	struct room_event event = { .is_message = true };

	if (err != NULL) {
		if (answer_again(answer, err))
			return;
		unstored(role, err);
		answer_refused(answer);
		return;
	}
	role->end.answer_seq = result->seq;
	event.message = (struct message){ .room_id = role->question.room_id, .seq = result->seq,
		.author_kind = AUTHOR_ROLE, .author_id = role->role.id, .author_name = role->role.name,
		.author_display = role->role.display,
		.client_id = pl_str(role->client_id), .content = pl_buf_str(&answer->text),
		.reply_to = role->question.seq, .generation_id = pl_str(answer->id), .meta = role->meta,
		.created_us = result->created_us };
	/* a duplicate is our own with an unknown outcome, or was published by the worker that stored it */
	if (!result->duplicate || answer->retried)
		hub_publish(role->svc->hub, &event);
	answer_stored(answer);
}

static void role_store(struct answer *answer)
{
	struct role_answer *role = answer->owner;
	struct message_new message = { .room_id = role->question.room_id, .author_kind = AUTHOR_ROLE,
		.author_id = role->role.id, .reply_to = role->question.seq, .client_id = pl_str(role->client_id),
		.content = pl_buf_str(&answer->text), .generation_id = pl_str(answer->id) };

	if (role->meta.ptr == NULL)
		role->meta = write_meta(role);
	message.meta = role->meta;
	repo_message_append(role->svc->db, answer->task, &message, on_stored, role);
}

/* ---- the end of the row ---- */

static void on_ended(void *arg, const struct generation_ended *ended, const struct pl_err *err)
{
	struct role_answer *role = arg;
	struct answer *answer = role->answer;

	if (err != NULL && answer_again(answer, err))
		return;
	if (err != NULL)
		pl_log(PL_LOG_WARN, answer->task, "end of an answer not recorded", "generation=%s error=%s",
		    answer->id, pl_err_info(err->code)->code);
	else if (ended->follow_up_seq > 0 && (answer->ending != ANSWER_TO_CUT || answer->adopted))
		role_follow_up(role->svc, answer->config, ended);
	if (err == NULL) {
		if (ended->ended && role->end.upstream.ptr != NULL)
			shm_upstream_cost(role->svc->shm, role->end.upstream, ended->cost_micros);
		role->outcome = ended->state;
		role->end.answer_seq = ended->answer_seq;
	}
	/* not earlier: a client that receives "done" finds the row done */
	answer_ended(answer);
}

static void role_end(struct answer *answer)
{
	struct role_answer *role = answer->owner;
	enum shm_metric counter = role->outcome == GEN_DONE ? SHM_M_llm_done :
	    role->outcome == GEN_CANCELLED ? SHM_M_llm_cancelled : SHM_M_llm_failed;

	if (role->end.id.ptr == NULL) { /* the first time */
		for (int c = 0; role->end.error_code.ptr != NULL && c < PL_E_COUNT; c++)
			if (pl_str_is(role->end.error_code, pl_err_info(c)->code))
				role->code = c;
		shm_count(role->svc->shm, counter, 1);
		role->end.id = pl_str(answer->id);
		role->end.room_id = role->question.room_id;
		role->end.role_id = role->role.id;
		role->end.state = role->outcome;
	}
	repo_generation_end(role->svc->db, answer->task, &role->end, on_ended, role);
}

static void role_over(struct answer *answer)
{
	struct role_answer *role = answer->owner;
	int state = HUB_GEN_FAILED;

	if (role->outcome == GEN_DONE)
		state = HUB_GEN_DONE;
	else if (role->outcome == GEN_CANCELLED)
		state = HUB_GEN_CANCELLED;
	else if (role->outcome == GEN_INTERRUPTED)
		state = HUB_GEN_INTERRUPTED;
	role_tell(role, state, role->code, PL_STR_NONE);
}

/* ---- start ---- */

static void role_adopt(struct answer *answer);

static const struct answer_ops role_ops = { .gathers = true, .linger_s = LINGER_S, .context = role_context,
	.asked = role_asked, .delta = role_delta, .answered = role_answered, .store = role_store, .end = role_end,
	.over = role_over, .adopt = role_adopt, .waits = role_waits };

static struct role_answer *role_answer_new(struct svc *svc, const struct config *config, const struct role_question *q,
    const struct role *role)
{
	struct answer *answer = answer_new(svc->answers, config, &role_ops, NULL);
	struct pl_pool *pool = answer->task->pool;
	struct role_answer *r = pl_alloc(pool, sizeof(*r));

	*r = (struct role_answer){ .answer = answer, .svc = svc, .question = *q, .role = *role,
		.end = { .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1 } };
	r->question.asker_name = pl_str_dup(pool, q->asker_name);
	r->question.room_name = pl_str_dup(pool, q->room_name);
	r->role.name = pl_str_dup(pool, role->name);
	r->role.display = pl_str_dup(pool, role->display);
	r->role.instructions = pl_str_dup(pool, role->instructions);
	r->role.upstream = pl_str_dup(pool, role->upstream);
	r->role.model = pl_str_dup(pool, role->model);
	answer->owner = r;
	answer->user_id = q->asker_id;
	return r;
}

/* It never began: viewers receive the reason, and nothing is stored. */
static void give_up(struct role_answer *role, enum pl_code code)
{
	role_tell(role, HUB_GEN_FAILED, code, PL_STR_NONE);
	answer_drop(role->answer);
}

static void refuse_on_asked(void *arg, const bool *asked, const struct pl_err *err)
{
	struct role_answer *role = arg;

	if (err == NULL && *asked)
		answer_drop(role->answer);
	else
		give_up(role, role->code);
}

/* If a message that was sent again has its answer, nothing failed. */
static void refuse(struct role_answer *role, enum pl_code code)
{
	const struct role_question *q = &role->question;

	role->code = code;
	if (!q->again) {
		give_up(role, code);
		return;
	}
	role->answer->task->deadline_ns = pl_now_ns() + ASKED_S * PL_NS_PER_S;
	repo_generation_asked(
	    role->svc->db, role->answer->task, q->room_id, role->role.id, q->seq, refuse_on_asked, role);
}

static void run_on_begun(void *arg, const struct generation_begun *begun, const struct pl_err *err)
{
	struct role_answer *role = arg;

	if (err != NULL && err->code == PL_E_WRITE_UNKNOWN) {
		answer_fail(role->answer, err); /* if there is a row, it would keep the role busy */
	} else if (err != NULL) {
		give_up(role, err->code);
	} else if (begun->busy) {
		/* the running answer makes one follow-up, which is counted when it begins */
		answer_limit_give(role->answer);
		answer_drop(role->answer);
	} else {
		answer_begin(role->answer);
	}
}

void role_answer_start(struct svc *svc, const struct config *config, const struct role_question *question,
    const struct role *role, const char *asker_addr)
{
	struct role_answer *r = role_answer_new(svc, config, question, role);
	struct pl_caller asker = { .user_id = question->asker_id };
	/* the key of LIMIT_ASK_SESSION in rooms */
	struct pl_str room = pl_str(pl_sprintf(r->answer->task->pool, "room:%lld", (long long)question->room_id));
	struct shm_gen_info info = { .room_id = question->room_id, .role_id = role->id, .asker_id = question->asker_id,
		.reply_to_seq = question->seq };
	struct generation_new row = { .id = pl_str(r->answer->id), .room_id = question->room_id, .role_id = role->id,
		.asker_id = question->asker_id, .reply_to = question->seq,
		.upstream = role->upstream.ptr != NULL ? role->upstream : pl_str(config->s.llm_default),
		.model = role->model, .again = question->again };
	struct pl_err err = { 0 };

	snprintf(r->client_id, sizeof(r->client_id), "gen:%s", r->answer->id);
	snprintf(asker.addr, sizeof(asker.addr), "%s", asker_addr);
	if (answers_stopping(svc->answers))
		refuse(r, PL_E_STOPPING);
	else if (!answer_limit_take(r->answer, &asker, room, &err))
		refuse(r, err.code);
	else if (!answer_place(r->answer, &info))
		refuse(r, PL_E_BUSY);
	else
		repo_generation_begin(svc->db, r->answer->task, &row, run_on_begun, r);
}

/* ---- answers whose worker died ---- */

static void adopt_on_role(void *arg, const struct role *row, const struct pl_err *err)
{
	struct role_answer *role = arg;

	if (err != NULL && answer_again(role->answer, err))
		return;
	if (err == NULL) {
		role->role.name = pl_str_dup(role->answer->task->pool, row->name);
		role->role.display = pl_str_dup(role->answer->task->pool, row->display);
	}
	role->answer->outcome = ANSWER_CUT;
	role_answered(role->answer, NULL, NULL);
	answer_settle(role->answer, ANSWER_CUT);
}

/* Live viewers need its name. */
static void role_adopt(struct answer *answer)
{
	struct role_answer *role = answer->owner;

	repo_role_get(role->svc->db, answer->task, role->role.id, adopt_on_role, role);
}

static void adopt(struct svc *svc, const struct shm_gen_info *info, struct pl_str text)
{
	struct role_question question = { .room_id = info->room_id, .seq = info->reply_to_seq,
		.asker_id = info->asker_id };
	struct role row = { .id = info->role_id };
	struct role_answer *role = role_answer_new(svc, svc_config(svc), &question, &row);

	pl_log(PL_LOG_WARN, role->answer->task, "an answer was interrupted by the death of its worker",
	    "generation=%s room=%lld", info->id, (long long)info->room_id);
	snprintf(role->client_id, sizeof(role->client_id), "gen:%s", info->id);
	answer_adopt(role->answer, info, text);
}

struct marking { struct role_answers *roles; struct pl_task *task; };

/* No other worker answers the messages that waited for its end. */
static void follow_up(struct svc *svc, const struct generation_list *list)
{
	for (int i = 0; i < list->count; i++) {
		const struct generation *row = &list->rows[i];
		const struct generation_ended ended = { .room_id = row->room_id, .role_id = row->role_id,
			.follow_up_seq = row->follow_up_seq, .follow_up_asker = row->follow_up_asker };

		if (row->follow_up_seq > 0)
			role_follow_up(svc, svc_config(svc), &ended);
	}
}

static void mark_on_rows(void *arg, const struct generation_list *list, const struct pl_err *err)
{
	struct marking *marking = arg;
	struct pl_task *task = marking->task;
	struct timeval pause = { RETRY_S, 0 };

	if (err != NULL)
		evtimer_add(marking->roles->late, &pause);
	if (err == NULL && list->count > 0) {
		pl_log(PL_LOG_WARN, task, "answers of an earlier process marked interrupted", "count=%d", list->count);
		follow_up(marking->roles->svc, list);
	}
	pl_task_release(&task);
}

static void mark(evutil_socket_t fd, short what, void *arg)
{
	struct role_answers *roles = arg;
	struct pl_task *task = pl_task_new(pl_now_ns() + 30 * PL_NS_PER_S);
	struct marking *marking = pl_alloc(task->pool, sizeof(*marking));

	*marking = (struct marking){ .roles = roles, .task = task };
	repo_generation_interrupt(roles->svc->db, task, mark_on_rows, marking);
}

void role_answers_mark(struct role_answers *roles)
{
	struct shm *shm = roles->svc->shm;
	struct timeval wait = { ADOPT_S, 0 };

	/* the clerk handles answers of earlier daemons */
	if (atomic_load(&shm->scores[shm->slot].generation) > 1)
		evtimer_add(roles->late, &wait);
}

struct role_answers *role_answers_new(struct svc *svc)
{
	struct role_answers *roles = pl_new(sizeof(*roles));

	roles->svc = svc;
	roles->late = evtimer_new(svc->worker->base, mark, roles);
	PL_BUG(roles->late == NULL);
	answers_on_orphan(svc->answers, ANSWER_IN_ROOM, adopt);
	return roles;
}

void role_answers_free(struct role_answers **roles)
{
	if (*roles == NULL)
		return;
	event_free((*roles)->late);
	pl_free(*roles);
	*roles = NULL;
}

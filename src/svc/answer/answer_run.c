/* SPDX-License-Identifier: ISC */
/* An answer, from its context to the end of the model's text. */
#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/answer/answer_int.h"

#define CUT_MARK "[...] "
#define CUT_MIN 1024		/* a shorter part of a message would be useless */
#define LOCAL_MS 600000		/* limits the built-in responder, which has no section */

bool answer_upstream(const struct config *config, struct pl_str name, const struct upstream_settings **upstream_r)
{
	if (name.ptr == NULL)
		name = pl_str(config->s.llm_default);
	*upstream_r = pl_str_is(name, LLM_LOCAL) ? NULL : config_upstream(config, name);
	return *upstream_r != NULL || pl_str_is(name, LLM_LOCAL);
}

struct pl_str answer_usage(struct pl_pool *pool, int64_t prompt_tokens, int64_t completion_tokens, bool estimated,
    const char *stop)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	if (prompt_tokens >= 0)
		pl_jw_ki64(&w, "prompt_tokens", prompt_tokens);
	if (completion_tokens >= 0)
		pl_jw_ki64(&w, "completion_tokens", completion_tokens);
	if (prompt_tokens >= 0 && completion_tokens >= 0)
		pl_jw_ki64(&w, "total_tokens", prompt_tokens + completion_tokens);
	if (estimated)
		pl_jw_kbool(&w, "estimated", true);
	if (stop != NULL)
		pl_jw_kcstr(&w, "stop", stop);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

/* Returns the last bytes of a longer text. */
static struct pl_str end_of(struct pl_pool *pool, struct pl_str text, size_t bytes)
{
	size_t from = text.len - bytes + sizeof(CUT_MARK) - 1;

	while (from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80)
		from++;
	return pl_str(pl_sprintf(pool, CUT_MARK "%.*s", (int)(text.len - from), text.ptr + from));
}

/* More than ANSWER_CONTEXT_PART characters: the query has cut the text at its beginning. */
static bool is_part(struct pl_str text)
{
	size_t characters = 0;

	if (text.len <= ANSWER_CONTEXT_PART)
		return false;
	for (size_t i = 0; i < text.len; i++)
		characters += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return characters > ANSWER_CONTEXT_PART;
}

int answer_fit(struct pl_pool *pool, struct llm_message *messages, int count, int64_t budget)
{
	int first = count, n = 0;

	while (first > 0 && budget - (int64_t)messages[first - 1].text.len > 0)
		budget -= (int64_t)messages[--first].text.len;
	if (first > 0 && first < count && budget > CUT_MIN) {
		first--;
		messages[first].text = end_of(pool, messages[first].text, (size_t)budget - 1);
	}
	if (first == count && first > 0)
		first--; /* the question itself, at any length */
	for (int i = first; i < count; i++) {
		if (is_part(messages[i].text))
			messages[i].text = end_of(pool, messages[i].text, messages[i].text.len);
		if (messages[i].text.len > 0)
			messages[n++] = messages[i];
	}
	return n;
}

void answer_do_context(struct answer *answer)
{
	if (answer->ops->context != NULL)
		answer->ops->context(answer);
	else
		answer_move(answer, ANSWER_EV_READY);
}

static void on_found(void *arg, const struct knowledge_found *found)
{
	struct answer *answer = arg;

	answer->run->found = *found;
	answer->ask.passages = found->passages;
	answer->ask.passages_count = found->count;
	if (found->prompt.ptr != NULL)
		answer->ask.system = pl_str(pl_sprintf(answer->task->pool, "%.*s%.*s", PL_FMT(answer->ask.system),
		    PL_FMT(found->prompt)));
	answer_move(answer, ANSWER_EV_FOUND);
}

void answer_do_search(struct answer *answer)
{
	if (answer->search.ptr != NULL && !answer->answers->env->empty(answer->answers->svc))
		answer->answers->env->search(answer->answers->svc, answer->config, answer->task, answer->search,
		    on_found, answer);
	else
		answer_move(answer, ANSWER_EV_FOUND);
}

/* The user's own key for this upstream, if there is one, replaces the section's. */
static void on_key(void *arg, struct pl_str key, const struct pl_err *err)
{
	struct answer *answer = arg;

	if (err != NULL) {
		answer_fail(answer, err);
		return;
	}
	answer->ask.key = key;
	answer_move(answer, ANSWER_EV_KEY);
}

void answer_do_key(struct answer *answer)
{
	if (provider_key_wanted(answer->user_id, answer->ask.upstream))
		answer->answers->env->key(answer->answers->svc, answer->config, answer->task, answer->user_id,
		    answer->ask.upstream, on_key, answer);
	else
		answer_move(answer, ANSWER_EV_KEY);
}

static void on_delta(void *arg, struct pl_str text)
{
	struct answer *answer = arg;

	answer->run->text = text;
	answer_move(answer, ANSWER_EV_TEXT);
}

static void on_done(void *arg, const struct llm_result *result, const struct pl_err *err)
{
	struct answer *answer = arg;

	answer->run->generation = NULL;
	answer->run->result = result;
	answer->run->err = err;
	answer_move(answer, ANSWER_EV_ANSWERED);
}

void answer_do_ask(struct answer *answer)
{
	struct answers *answers = answer->answers;
	const struct upstream_settings *upstream = answer->ask.upstream;
	struct pl_err stopped = { 0 };

	if (answers->stopping && answer->ending == ANSWER_GOES_ON)
		answer->ending = ANSWER_TO_CUT;
	if (answer->ending != ANSWER_GOES_ON) {
		pl_err_set(&stopped, answer->ending == ANSWER_TO_CUT ? PL_E_STOPPING : PL_E_CANCELLED, NULL);
		answer->run->err = &stopped;
		answer_move(answer, ANSWER_EV_ANSWERED);
		return;
	}
	answer->task->deadline_ns = pl_now_ns() + (upstream != NULL ? upstream->total_timeout + 1000 : LOCAL_MS) *
	    PL_NS_PER_MS;
	if (answer->index >= 0)
		shm_gen_state(answers->svc->shm, answer->index, SHM_GEN_RUNNING);
	if (answer->ops->asked != NULL)
		answer->ops->asked(answer);
	answer->run->generation =
	    answers->env->ask(answers->svc->llm, answer->task, &answer->ask, on_delta, on_done, answer);
}

/* ---- text ---- */

void answer_flush(struct answer *answer)
{
	struct pl_str rest = PL_STR_NONE;

	if (answer->told < answer->text.len)
		rest = pl_strn(answer->text.ptr + answer->told, answer->text.len - answer->told);
	answer->told = answer->text.len;
	if (answer->ops->delta != NULL)
		answer->ops->delta(answer, rest);
}

/*
 * Copies text into shared memory, where it is never longer than here and has no gaps. Returns the number of copied
 * bytes.
 */
static size_t share(struct answer *answer, struct pl_str text)
{
	size_t fits = 0;

	if (answer->index < 0)
		return text.len;
	if (answer->run->shared == answer->text.len)
		fits = shm_gen_append(answer->answers->svc->shm, answer->index, text.ptr, (uint32_t)text.len);
	answer->run->shared += fits;
	return fits;
}

static void keep(struct answer *answer, struct pl_str text)
{
	if (answer->first_text_us == 0)
		answer->first_text_us = pl_wall_us();
	pl_buf_add(&answer->text, text.ptr, text.len);
	if (!answer->ops->gathers && text.len > 0)
		answer_flush(answer);
}

void answer_say(struct answer *answer, struct pl_str text)
{
	(void)share(answer, text);
	keep(answer, text);
}

/* The model's text ends at text_max, or when the shared memory is full. */
static void hear(struct answer *answer, struct pl_str text)
{
	struct shm *shm = answer->answers->svc->shm;
	size_t room = answer->text_max > answer->text.len ? answer->text_max - answer->text.len : 0, shared;

	if (text.len > room) {
		text.len = pl_utf8_cut(text.ptr, text.len, room);
		answer->full = true;
		shm_count(shm, SHM_M_answers_cut_long, 1);
	}
	shared = share(answer, text);
	if (shared < text.len) {
		text.len = shared;
		if (!answer->full)
			shm_count(shm, SHM_M_answers_cut_memory, 1);
		answer->full = true;
		pl_log(PL_LOG_WARN, answer->task, "answer cut off: answer_memory is used up", "generation=%s bytes=%zu",
		    answer->id, answer->text.len + shared);
	}
	keep(answer, text);
}

void answer_do_text(struct answer *answer)
{
	if (answer->full)
		return;
	hear(answer, answer->run->text);
	if (answer->ops->gathers && !evtimer_pending(answer->run->timer, NULL)) {
		answer_flush(answer);
		answer_arm(answer, answer->config->s.llm_delta);
	}
	if (answer->full)
		answer->answers->env->cancel(answer->run->generation);
}

void answer_do_gathered(struct answer *answer)
{
	if (answer->text.len == answer->told)
		return;
	answer_flush(answer);
	answer_arm(answer, answer->config->s.llm_delta);
}

/* ---- requests to end ---- */

static void end_as(struct answer *answer, enum answer_ending ending)
{
	if (answer->ending != ANSWER_GOES_ON)
		return;
	answer->ending = ending;
	if (answer->ops->ends != NULL)
		answer->ops->ends(answer);
	if (answer->run->generation != NULL)
		answer->answers->env->cancel(answer->run->generation);
}

void answer_do_stop(struct answer *answer)
{
	end_as(answer, ANSWER_TO_STOP);
}

void answer_do_cut(struct answer *answer)
{
	end_as(answer, ANSWER_TO_CUT);
}

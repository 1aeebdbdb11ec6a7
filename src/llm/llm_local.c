/* SPDX-License-Identifier: ISC */
/*
 * Streams the answers of the built-in responder: a word every 15 ms, so that viewers, stop, and reconnects behave as
 * with a real model. llm_local_answer.c writes the answers.
 */
#include "clock.h"
#include "llm/llm_generation.h"

enum { WORD_MS = 15, PIECE_MAX_BYTES = 64 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

size_t llm_local_piece(struct pl_str rest)
{
	size_t n = 0;

	while (n < rest.len && is_blank(rest.ptr[n]))
		n++;
	while (n < rest.len && !is_blank(rest.ptr[n]))
		n++;
	while (n < rest.len && is_blank(rest.ptr[n]))
		n++;
	return n <= PIECE_MAX_BYTES ? n : pl_utf8_cut(rest.ptr, rest.len, PIECE_MAX_BYTES);
}

int64_t llm_local_words(struct pl_str text)
{
	int64_t words = 0;

	for (size_t i = 0; i < text.len; i++)
		words += !is_blank(text.ptr[i]) && (i == 0 || is_blank(text.ptr[i - 1]));
	return words;
}

static int64_t prompt_words(const struct llm_request *request)
{
	int64_t words = llm_local_words(request->system);

	for (int i = 0; i < request->messages_count; i++)
		words += llm_local_words(request->messages[i].text);
	return words;
}

/* Returns the length of the first `words` words. */
static size_t length_of_words(struct pl_str text, int64_t words)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_blank(text.ptr[i]) && i > 0 && !is_blank(text.ptr[i - 1]) && --words == 0)
			return i;
	}
	return text.len;
}

void llm_local_prepare(struct llm_generation *generation, const struct llm_request *request)
{
	struct pl_buf answer = PL_BUF(generation->pool);

	llm_local_answer(request, &answer);
	generation->model = PL_STR(LLM_LOCAL_MODEL);
	generation->answer = pl_buf_str(&answer);
	generation->result.stop = LLM_STOP_END;
	if (request->max_tokens > 0 && request->max_tokens < llm_local_words(generation->answer)) {
		generation->answer.len = length_of_words(generation->answer, request->max_tokens);
		generation->result.stop = LLM_STOP_LENGTH;
	}
	generation->result.tries = 1;
	generation->result.estimated = true;
	generation->result.prompt_tokens = prompt_words(request);
	generation->result.completion_tokens = 0;
}

void llm_local_timer(struct llm_generation *generation)
{
	struct pl_str piece = { generation->answer.ptr, llm_local_piece(generation->answer) };

	if (pl_task_late(generation->task)) {
		llm_generation_stop(generation, PL_E_DEADLINE, NULL);
		return;
	}
	if (piece.len == 0) {
		llm_generation_finish(generation, NULL);
		return;
	}
	generation->answer = pl_strn(piece.ptr + piece.len, generation->answer.len - piece.len);
	generation->result.completion_tokens += llm_local_words(piece);
	if (llm_generation_text(generation, piece))
		llm_generation_wait(generation, generation->answer.len > 0 ? WORD_MS : 0);
}

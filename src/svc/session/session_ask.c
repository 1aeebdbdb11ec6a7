/* SPDX-License-Identifier: ISC */
/*
 * Decides when a form asks again. A question in between is answered while the form's request waits. The form repeats
 * its request after small talk, and at the latest with every third answer; but not directly after its own request, a
 * complaint, or a wish for a person.
 *
 * An answer that ended before it was complete lacks the request, so the next answer repeats it.
 *
 * A proposal ("I understood .. Is that right?") is repeated each time, because the next yes accepts it.
 */
#include "svc/session/session_job.h"

#define REPLIES_MAX 2		/* replies in a row without the request */

static bool has(struct pl_str text, const char *part)
{
	size_t len = strlen(part);

	return len > 0 && text.len >= len && memmem(text.ptr, text.len, part, len) != NULL;
}

bool session_ask_later(const struct session_job *job, const struct session_history *history)
{
	const struct form_step *step = &job->step;
	const struct form_slot_settings *slot;
	enum llm_mood mood;
	int replies = 0;

	if (job->form == NULL || !form_only_asks(step))
		return false;
	slot = job->form->slots[step->requested].s;
	mood = llm_local_mood(job->masked);
	if (mood == LLM_MOOD_UPSET || mood == LLM_MOOD_PERSON)
		return true;
	for (int i = history->count - 1; i >= 0 && replies <= REPLIES_MAX; i--) {
		struct pl_str text = history->rows[i].content;

		if (history->rows[i].author == SESSION_USER)
			continue;
		if (replies == 0 && !history->rows[i].whole)
			return false;
		if (has(text, slot->ask) || has(text, slot->retry))
			return mood == LLM_MOOD_IDLE ? replies == 0 : replies < REPLIES_MAX;
		replies++;
	}
	return false;
}

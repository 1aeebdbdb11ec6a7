/* SPDX-License-Identifier: ISC */
/*
 * A message as it may be stored: without the values of sensitive slots.
 */
#include <ctype.h>

#include "svc/form.h"

static bool in_address(struct pl_str text, size_t at)
{
	size_t from = at, to = at;

	while (from > 0 && !isspace((unsigned char)text.ptr[from - 1]))
		from--;
	while (to < text.len && !isspace((unsigned char)text.ptr[to]))
		to++;
	return memchr(text.ptr + from, '@', to - from) != NULL;
}

/* All numbers but those in addresses: "80,000, no, 90,000" holds two incomes. */
static struct pl_str mask_numbers(struct pl_pool *pool, struct pl_str text, const char *label)
{
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < text.len;) {
		if (!isdigit((unsigned char)text.ptr[i]) || in_address(text, i)) {
			pl_buf_addc(&out, text.ptr[i++]);
			continue;
		}
		while (i < text.len && (isdigit((unsigned char)text.ptr[i]) ||
		    (strchr(".,' ", text.ptr[i]) != NULL && i + 1 < text.len &&
		    isdigit((unsigned char)text.ptr[i + 1]))))
			i++;
		if (i < text.len && strchr("kKmM", text.ptr[i]) != NULL &&
		    (i + 1 == text.len || !isalnum((unsigned char)text.ptr[i + 1])))
			i++;
		pl_buf_addf(&out, "[%s]", label);
	}
	return pl_buf_str(&out);
}

static struct pl_str mask_text(struct pl_pool *pool, struct pl_str text, struct pl_str raw, const char *label)
{
	struct pl_buf out = PL_BUF(pool);
	const char *at, *end = text.ptr + text.len;

	while (raw.len > 0 && (at = memmem(text.ptr, text.len, raw.ptr, raw.len)) != NULL) {
		pl_buf_add(&out, text.ptr, (size_t)(at - text.ptr));
		pl_buf_addf(&out, "[%s]", label);
		text = pl_strn(at + raw.len, (size_t)(end - at) - raw.len);
	}
	pl_buf_addstr(&out, text);
	return pl_buf_str(&out);
}

static bool names_it(const struct form_slot *slot, struct pl_str text)
{
	const struct pl_list own = { &slot->name, 1 };

	return form_has_word(text, slot->s->words.count > 0 ? &slot->s->words : &own);
}

struct pl_str form_mask(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step, struct pl_str text)
{
	for (int i = 0; i < form->count; i++) {
		const struct form_slot_settings *s = form->slots[i].s;
		bool found = step->value[i].ptr != NULL;
		bool meant = found || ((state->requested == i || step->reopened == i) && !step->question);

		if (!s->sensitive)
			continue;
		if (s->normal == FORM_AMOUNT && (meant || names_it(&form->slots[i], text)))
			text = mask_numbers(pool, text, s->label);
		else if (found)
			text = mask_text(pool, text, step->raw[i], s->label);
		else if (meant)
			text = pl_str(pl_sprintf(pool, "[%s]", s->label));
	}
	return text;
}

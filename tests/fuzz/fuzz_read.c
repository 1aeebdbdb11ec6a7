/* SPDX-License-Identifier: ISC */
/*
 * The reader of values: any text, for all kinds at once, asked and not asked. A value must be part of the message in
 * some spelling, spans must be inside it and in order, and a part of it that a model copies must cause no error.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "svc/read/read.h"

#define SPANS_MAX 32
#define PART_MAX 8

static void check_value(struct pl_str text, const struct read_value *v)
{
	if (v->verdict == READ_NOTHING)
		return;
	if (v->value.len == 0 || v->raw.len == 0 || !pl_utf8_ok(v->value.ptr, v->value.len) ||
	    memmem(text.ptr, text.len, v->raw.ptr, v->raw.len) == NULL)
		abort();
}

static void check_spans(struct read_message *m, struct pl_str text)
{
	struct read_span spans[SPANS_MAX];
	int count = read_amounts(m, -1, spans, SPANS_MAX);
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		if (spans[i].from < at || spans[i].to <= spans[i].from || spans[i].to > text.len)
			abort();
		at = spans[i].to;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "income", "name", "mail" };
	struct pl_str text = pl_strn((const char *)data, size);
	struct pl_pool *pool = pl_pool_new(0);
	struct read_message *m = read_message(pool, text);
	struct read_want wants[5];
	struct read_value values[5], other;

	for (int asked = -1; m != NULL && asked < 5; asked++) {
		for (int i = 0; i < 5; i++)
			wants[i] = (struct read_want){ .kind = (enum read_kind)i, .asked = asked == i, .open = true,
				.words = words, .words_count = 3, .says = "I _ earn | I was born on",
				.per = READ_PER_YEAR, .old = PL_STR("Ann") };
		read_values(m, wants, 5, values);
		for (int i = 0; i < 5; i++)
			check_value(text, &values[i]);
		for (int i = 0; i < 5 && size > 1; i++)
			PL_UNUSED(read_check(m, &wants[i], pl_strn(text.ptr + 1, size > PART_MAX ? PART_MAX : size - 1),
			    &other));
	}
	if (m != NULL) {
		check_spans(m, text);
		PL_UNUSED(read_asks(m) || read_yes(m) || read_no(m) || read_refuses(m) || read_talks(m));
	}
	pl_pool_free(&pool);
	return 0;
}

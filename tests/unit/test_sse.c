/* SPDX-License-Identifier: ISC */
/*
 * Event streams: each row is fed whole, byte by byte, and cut in two at every place.
 */
#include <check.h>
#include <stdlib.h>

#include "sse.h"

Suite *suite_sse(void);

struct row {
	const char *input;
	const char *events;	/* "name|data;" each */
	unsigned long comments;
};

static const struct row rows[] = {
	{ "", "", 0 },
	{ "data: hello\n\n", "|hello;", 0 },
	{ "data: hello\r\n\r\n", "|hello;", 0 },
	{ "data: hello\r\r", "|hello;", 0 },
	{ "data: a\r\ndata: b\n\rdata: c\r\r", "|a\nb;|c;", 0 },
	{ "data:hello\n\n", "|hello;", 0 },
	{ "data:  two blanks\n\n", "| two blanks;", 0 },
	{ "data\n\n", "|;", 0 },
	{ "data\ndata\n\n", "|\n;", 0 },
	{ "data:\n\n", "|;", 0 },
	{ "data: YHOO\ndata: +2\ndata: 10\n\n", "|YHOO\n+2\n10;", 0 },
	{ ": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third", "|first;|second;", 1 },
	{ "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: x\n\n", "add|73857293;remove|2153;|x;", 0 },
	{ "event: lost\n\ndata: x\n\n", "|x;", 0 },
	{ "event: a\nevent: b\ndata: x\n\n", "b|x;", 0 },
	{ "\xef\xbb\xbf" "data: bom\n\n", "|bom;", 0 },
	{ "data: a\n\n\xef\xbb\xbf" "data: b\n\n", "|a;", 0 },
	{ ":\n:ping\n: x\ndata: y\n\n", "|y;", 3 },
	{ "retry: 10\nfoo: bar\nDATA: x\n data: x\n\n", "", 0 },
	{ "data: a:b: c\n\n", "|a:b: c;", 0 },
	{ "data: [DONE]\n\n\n\n", "|[DONE];", 0 },
	{ "\n\n\r\n\r\rdata: x\n\n", "|x;", 0 },
	{ "data: \xc3\xa4\xf0\x9f\x98\x80\n\n", "|\xc3\xa4\xf0\x9f\x98\x80;", 0 },
	{ "data: unfinished\n", "", 0 },
	{ "data: a\n\nerror: {\"code\":500}\n\ndata: b\n\n", "|a;error|{\"code\":500};|b;", 0 },
};

static bool collect(void *arg, struct pl_str event, struct pl_str data)
{
	struct pl_buf *out = arg;

	pl_buf_addstr(out, event);
	pl_buf_addc(out, '|');
	pl_buf_addstr(out, data);
	pl_buf_addc(out, ';');
	return true;
}

/* Feeds input in pieces: the first `cut` bytes, then `step` at a time. */
static void run(const struct row *row, size_t cut, size_t step)
{
	struct pl_buf out = PL_BUF(NULL);
	struct pl_sse sse;
	size_t len = strlen(row->input), at = 0, n = cut;

	pl_sse_init(&sse, 1000);
	while (at < len) {
		char *piece;

		if (n > len - at)
			n = len - at;
		/* A separate copy, so that a sanitizer detects reads beyond the piece. */
		piece = pl_new(n);
		memcpy(piece, row->input + at, n);
		ck_assert(pl_sse_feed(&sse, piece, n, collect, &out));
		pl_free(piece);
		at += n;
		n = step;
	}
	ck_assert_str_eq(pl_buf_str(&out).ptr, row->events);
	ck_assert_uint_eq(sse.comments, row->comments);
	pl_sse_fini(&sse);
	pl_buf_fini(&out);
}

START_TEST(every_split)
{
	const struct row *row = &rows[_i];
	size_t len = strlen(row->input);

	run(row, len, len);
	run(row, 1, 1);
	for (size_t cut = 0; cut < len; cut++) {
		run(row, cut, len);
		run(row, cut, 3);
	}
}
END_TEST

static bool stop(void *arg, struct pl_str event, struct pl_str data)
{
	++*(int *)arg;
	return false;
}

START_TEST(stops)
{
	static const char text[] = "data: a\n\ndata: b\n\n";
	struct pl_sse sse;
	int calls = 0;

	pl_sse_init(&sse, 100);
	ck_assert(!pl_sse_feed(&sse, text, sizeof(text) - 1, stop, &calls));
	ck_assert_int_eq(calls, 1);
	pl_sse_fini(&sse);
}
END_TEST

START_TEST(cap)
{
	static const char head[] = "data: ", tail[] = "\n\n";
	char fill[64];

	memset(fill, 'x', sizeof(fill));
	for (int kind = 0; kind < 4; kind++) {
		struct pl_buf out = PL_BUF(NULL);
		struct pl_sse sse;
		bool ok = true;

		pl_sse_init(&sse, 50);
		if (kind == 0) {	/* one long line without an end */
			for (int i = 0; i < 51; i++)
				ok = ok && pl_sse_feed(&sse, "x", 1, collect, &out);
		} else if (kind == 1) {	/* one long line at once */
			ok = pl_sse_feed(&sse, fill, 51, collect, &out);
		} else if (kind == 2) {	/* many lines of one event */
			for (int i = 0; i < 60; i++)
				ok = ok && pl_sse_feed(&sse, "data:\n", 6, collect, &out);
		} else {		/* many small events are fine */
			for (int i = 0; i < 100; i++)
				ok = ok && pl_sse_feed(&sse, head, 6, collect, &out) &&
				    pl_sse_feed(&sse, fill, 40, collect, &out) &&
				    pl_sse_feed(&sse, tail, 2, collect, &out);
		}
		ck_assert_msg(ok == (kind == 3), "kind %d", kind);
		pl_sse_fini(&sse);
		pl_buf_fini(&out);
	}
}
END_TEST

Suite *suite_sse(void)
{
	Suite *suite = suite_create("sse");
	TCase *tc = tcase_create("sse");

	tcase_add_loop_test(tc, every_split, 0, (int)PL_COUNT(rows));
	tcase_add_test(tc, stops);
	tcase_add_test(tc, cap);
	suite_add_tcase(suite, tc);
	return suite;
}
